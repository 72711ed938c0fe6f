//! The vectors of all agents, in memory, and which of them are nearest to a task's. Pure.
//!
//! Each number is kept as one byte: a quarter of the memory, and a hundred thousand agents are looked through in
//! milliseconds. What that costs is below what tells two models apart. Nothing is approximated beyond that: every agent is
//! looked at.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use landline_wire::ids::AgentId;

/// Numbers of a vector at most: what the largest models give.
pub(super) const MAX_DIMENSIONS: usize = 4_096;
/// Bytes of all vectors at most; agents beyond them are found by words alone.
const MAX_BYTES: usize = 512 << 20;

/// A text's vector: a direction in one byte a number, and what one of them stands for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Vector {
    numbers: Vec<i8>,
    unit: f32,
}

impl Vector {
    /// The direction of the numbers. `None`: there are none, too many, they are not finite, or point nowhere.
    pub(super) fn of(numbers: &[f32]) -> Option<Self> {
        let length = numbers.iter().map(|number| f64::from(*number).powi(2)).sum::<f64>().sqrt();
        let greatest = numbers.iter().fold(0.0_f32, |greatest, number| greatest.max(number.abs()));
        if numbers.is_empty() || numbers.len() > MAX_DIMENSIONS || !length.is_finite() || length == 0.0 {
            return None;
        }
        let unit = greatest / 127.0;
        let numbers = numbers.iter().map(|number| (number / unit).round() as i8).collect();
        Some(Self { numbers, unit: (f64::from(unit) / length) as f32 })
    }

    /// How many numbers it has.
    pub(super) fn dimensions(&self) -> usize {
        self.numbers.len()
    }

    /// The stored form: what a number stands for, then the numbers.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.unit.to_le_bytes().to_vec();
        bytes.extend(self.numbers.iter().map(|number| number.to_le_bytes()[0]));
        bytes
    }

    /// Reads the stored form. `None`: it is none, or stands for a text without a vector.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (unit, numbers) = bytes.split_first_chunk()?;
        let unit = f32::from_le_bytes(*unit);
        let numbers: Vec<i8> = numbers.iter().map(|byte| i8::from_le_bytes([*byte])).collect();
        (unit.is_finite() && unit > 0.0 && (1..=MAX_DIMENSIONS).contains(&numbers.len()))
            .then_some(Self { numbers, unit })
    }
}

/// The cosine of two rows of bytes and what they stand for.
fn cosine(one: (&[i8], f32), other: (&[i8], f32)) -> f32 {
    // Sums of 64 products fit 32 bits many times; the compiler makes vector code of it.
    let dot: i32 = one.0.iter().zip(other.0).map(|(a, b)| i32::from(i16::from(*a) * i16::from(*b))).sum();
    dot as f32 * one.1 * other.1
}

/// An agent near a task.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Near {
    /// Who.
    pub(crate) agent: AgentId,
    /// How near, 0 to 1: 0 is what an agent is by chance, 1 the same text.
    pub(crate) meaning: f64,
}

/// The vectors of agents, all of one length.
#[derive(Debug, Default)]
pub(crate) struct Vectors {
    dimensions: usize,
    agents: Vec<AgentId>,
    places: HashMap<AgentId, usize>,
    numbers: Vec<i8>,
    units: Vec<f32>,
}

impl Vectors {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.agents.len()
    }

    /// How many numbers each has; 0 while there is none.
    pub(super) fn dimensions(&self) -> usize {
        self.dimensions
    }

    /// The agents that have one.
    pub(super) fn agents(&self) -> &[AgentId] {
        &self.agents
    }

    /// Puts an agent's vector in, in place of the one it had. `false`: it is of another length than the others, or there is no
    /// room for it.
    pub(super) fn put(&mut self, agent: AgentId, vector: &Vector) -> bool {
        if self.agents.is_empty() {
            self.dimensions = vector.dimensions();
        }
        if vector.dimensions() != self.dimensions {
            return false;
        }
        if let Some(place) = self.places.get(&agent).copied() {
            self.numbers[place * self.dimensions..][..self.dimensions].copy_from_slice(&vector.numbers);
            self.units[place] = vector.unit;
            return true;
        }
        if self.numbers.len() + self.dimensions > MAX_BYTES {
            return false;
        }
        self.places.insert(agent, self.agents.len());
        self.agents.push(agent);
        self.numbers.extend_from_slice(&vector.numbers);
        self.units.push(vector.unit);
        true
    }

    /// Takes an agent's vector out.
    pub(super) fn remove(&mut self, agent: AgentId) {
        let Some(place) = self.places.remove(&agent) else { return };
        let last = self.agents.len() - 1;
        self.agents.swap_remove(place);
        self.units.swap_remove(place);
        if place < last {
            self.numbers.copy_within(last * self.dimensions.., place * self.dimensions);
            self.places.insert(self.agents[place], place);
        }
        self.numbers.truncate(last * self.dimensions);
    }

    /// Looks at all agents: the `count` nearest of those that are wanted, nearest first, and what is near by chance.
    ///
    /// Models differ in what two texts have in common that have nothing in common: by some that is 0.05, by others 0.7. So the
    /// middle of all agents, and how far they are spread around it, is what nearness is measured from.
    pub(crate) fn nearest(&self, task: &Vector, count: usize, is_wanted: impl Fn(AgentId) -> bool) -> Nearest {
        let mut nearest = Nearest::default();
        if task.dimensions() != self.dimensions {
            return nearest;
        }
        let of_task = (task.numbers.as_slice(), task.unit);
        let (mut sum, mut squares) = (0.0_f64, 0.0_f64);
        let mut best = BinaryHeap::with_capacity(count + 1);
        for (place, row) in self.numbers.chunks_exact(self.dimensions).enumerate() {
            let cosine = cosine((row, self.units[place]), of_task);
            sum += f64::from(cosine);
            squares += f64::from(cosine).powi(2);
            let candidate = Reverse((Ordered(cosine), Reverse(self.agents[place])));
            let enters = best.len() < count || best.peek().is_some_and(|least| candidate < *least);
            if enters && is_wanted(self.agents[place]) {
                best.push(candidate);
                if best.len() > count {
                    best.pop();
                }
            }
        }
        let all = self.len().max(1) as f64;
        let mean = sum / all;
        nearest.chance = (mean + (squares / all - mean * mean).max(0.0).sqrt()).clamp(0.0, 0.99);
        nearest.best = best
            .into_sorted_vec()
            .into_iter()
            .map(|Reverse((cosine, Reverse(agent)))| Near { agent, meaning: nearest.shown(cosine.0) })
            .collect();
        nearest
    }

    /// How near one agent is; `None` if it has no vector.
    pub(crate) fn near(&self, agent: AgentId, task: &Vector, nearest: &Nearest) -> Option<f64> {
        let place = *self.places.get(&agent)?;
        let row = self.numbers.get(place * self.dimensions..(place + 1) * self.dimensions)?;
        (task.dimensions() == self.dimensions)
            .then(|| nearest.shown(cosine((row, self.units[place]), (&task.numbers, task.unit))))
    }
}

/// What was found near a task.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Nearest {
    /// The nearest first.
    pub(crate) best: Vec<Near>,
    /// The cosine that an agent has by chance: one standard deviation above the middle of all.
    chance: f64,
}

impl Nearest {
    fn shown(&self, cosine: f32) -> f64 {
        ((f64::from(cosine) - self.chance) / (1.0 - self.chance)).clamp(0.0, 1.0)
    }
}

/// A cosine, ordered; it is never NaN.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Ordered(f32);

impl Eq for Ordered {}

impl PartialOrd for Ordered {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Ordered {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0)
    }
}

#[cfg(test)]
#[path = "vectors_tests.rs"]
mod tests;
