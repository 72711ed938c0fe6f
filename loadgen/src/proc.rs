//! What processes use, from `/proc`.

use anyhow::{Context, bail};

/// CPU time (user and system) that a process has used, microseconds; of the system's clock tick exactly.
///
/// # Errors
/// There is no such process.
pub fn cpu_us(pid: u32) -> anyhow::Result<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).with_context(|| format!("no process {pid}"))?;
    // The second field is the command in parentheses and may hold anything: count from its end. See proc(5).
    let fields: Vec<_> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |index: usize| fields.get(index).and_then(|field| field.parse::<u64>().ok());
    let (Some(user), Some(system)) = (ticks(11), ticks(12)) else { bail!("/proc/{pid}/stat reads strangely") };
    // SAFETY: no pointers; a constant of the system.
    let per_second = unsafe { libc::sysconf(libc::_SC_CLK_TCK) } as u64;
    Ok((user + system) * 1_000_000 / per_second)
}

/// Resident memory of a process, bytes.
///
/// # Errors
/// There is no such process.
pub fn rss_bytes(pid: u32) -> anyhow::Result<u64> {
    // `smaps_rollup` is exact and only the process's owner may read it; `status` may be some pages per core behind.
    if let Ok(rollup) = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))
        && let Some(bytes) = field(&rollup, "Rss:")
    {
        return Ok(bytes);
    }
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).with_context(|| format!("no process {pid}"))?;
    field(&status, "VmRSS:").context("no VmRSS in /proc")
}

/// A line such as `Rss:   123 kB`, in bytes.
fn field(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kib << 10)
}

/// Lets this process open as many descriptors as the system grants it.
pub fn raise_descriptor_limit() {
    // SAFETY: both calls read or write one `rlimit` that lives on this stack.
    unsafe {
        let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        if libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) == 0 {
            limit.rlim_cur = limit.rlim_max;
            libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit);
        }
    }
}

/// How many descriptors this process may have.
pub fn descriptor_limit() -> usize {
    // SAFETY: as above.
    unsafe {
        let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        if libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) == 0 { limit.rlim_cur as usize } else { usize::MAX }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn a_process_that_works_uses_cpu_and_memory() {
        let pid = std::process::id();
        let (before, start) = (cpu_us(pid).unwrap(), Instant::now());
        let mut sum = 0u64;
        while cpu_us(pid).unwrap() < before + 30_000 {
            sum = std::hint::black_box(sum.wrapping_add(1));
            assert!(start.elapsed() < Duration::from_secs(20), "no CPU time is seen");
        }
        assert!(rss_bytes(pid).unwrap() > 1 << 20);
        assert!(cpu_us(u32::MAX).is_err() && rss_bytes(u32::MAX).is_err());
    }

    #[test]
    fn a_field_is_in_bytes() {
        assert_eq!(field("Pss:  1 kB\nRss:      12 kB\n", "Rss:"), Some(12 << 10));
        assert_eq!(field("Rss: many kB", "Rss:"), None);
    }
}
