//! What of an agent is embedded: what it does, in the order in which it matters. Pure.

use crate::agents::Listed;

/// Characters of an agent's text: some 500 tokens, which even small models read.
const CHARS: usize = 2_000;

/// The text of an agent.
pub(super) fn of(agent: &Listed) -> String {
    let mut text = agent.name.clone();
    let mut add = |part: &str| {
        let part = part.trim();
        if !part.is_empty() {
            text.push_str(". ");
            text.push_str(part.trim_end_matches('.'));
        }
    };
    agent.tagline.iter().for_each(|tagline| add(tagline));
    add(&agent.description);
    for skill in &agent.skills {
        let name = skill.name.as_deref().or(skill.id.as_deref()).unwrap_or_default();
        let description = skill.description.as_deref().unwrap_or_default();
        add(&[name, description].iter().filter(|part| !part.is_empty()).copied().collect::<Vec<_>>().join(": "));
        add(&skill.tags.join(", "));
    }
    text.chars().take(CHARS).collect()
}

/// What tells two texts apart.
pub(super) fn hash(text: &str) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
    digest.as_ref()[..16].iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use landline_api::agents::Skill;

    use super::*;

    #[test]
    fn what_an_agent_does_is_said_once_and_bounded() {
        let skill = Skill {
            id: Some("sum".into()),
            name: Some("Sum".into()),
            description: Some("Adds numbers up.".into()),
            tags: vec!["math".into(), "money".into()],
        };
        let bare = Skill { id: None, name: None, description: None, tags: Vec::new() };
        let skills = vec![skill, bare];
        let mut agent = Listed { description: "Adds.".into(), skills, ..Listed::called("Adder") };
        assert_eq!(of(&agent), "Adder. Adds. Sum: Adds numbers up. math, money");
        agent.description = "ä".repeat(10_000);
        assert_eq!(of(&agent).chars().count(), CHARS);
        assert_ne!(hash(&of(&agent)), hash("Adder"));
    }
}
