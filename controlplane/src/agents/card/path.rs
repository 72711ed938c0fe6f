//! Where a value stands in the body, spelled as the caller spelled it. Pure.

use std::fmt;

/// Characters that are shown of a name which the card's author chose.
const SHOWN_CHARS: usize = 100;

/// The way from the body to a value, such as `card.skills[2].tags[0]`. It grows on the stack while a card is walked and
/// becomes a text only for a fault.
#[derive(Debug, Clone, Copy)]
pub(super) enum Path<'a> {
    /// Where the card stands in the body: `card`, or empty if it is the body.
    Root(&'a str),
    /// A member that the schema names.
    Member(&'a Path<'a>, &'a str),
    /// What stands under a name that the card's author chose.
    Name(&'a Path<'a>, &'a str),
    /// An entry of a list.
    Entry(&'a Path<'a>, usize),
}

impl Path<'_> {
    /// How a member that is missing here would be spelled: in snake_case below a member in snake_case, else as A2A does.
    pub(super) fn spelling(&self, camel: &str) -> String {
        match self {
            Self::Root(_) => camel.to_owned(),
            Self::Member(_, name) if name.contains('_') => snake(camel),
            Self::Member(_, name) if name.contains(|c: char| c.is_ascii_uppercase()) => camel.to_owned(),
            Self::Member(parent, _) | Self::Name(parent, _) | Self::Entry(parent, _) => parent.spelling(camel),
        }
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root(at) => f.write_str(at),
            Self::Name(parent, name) if is_plain(name) => Self::Member(parent, name).fmt(f),
            Self::Member(Path::Root(""), name) => f.write_str(name),
            Self::Member(parent, name) => write!(f, "{parent}.{name}"),
            Self::Name(parent, name) => {
                let shown: String = name.chars().take(SHOWN_CHARS).collect();
                write!(f, "{parent}[{}]", serde_json::Value::from(shown))
            }
            Self::Entry(parent, index) => write!(f, "{parent}[{index}]"),
        }
    }
}

/// Can the name stand in a path without quotes?
fn is_plain(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    (1..=SHOWN_CHARS).contains(&name.len()) && name.bytes().all(plain)
}

/// A name of A2A's in snake_case: `oauth2MetadataUrl` is `oauth2_metadata_url`.
pub(super) fn snake(camel: &str) -> String {
    let mut snake = String::with_capacity(camel.len() + 4);
    for character in camel.chars() {
        if character.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(character.to_ascii_lowercase());
    }
    snake
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_reads_like_the_expression_that_leads_there() {
        let root = Path::Root("card");
        let schemes = Path::Member(&root, "security_schemes");
        assert_eq!(Path::Entry(&Path::Member(&root, "skills"), 2).to_string(), "card.skills[2]");
        assert_eq!(Path::Name(&schemes, "my-key").to_string(), "card.security_schemes.my-key");
        assert_eq!(Path::Name(&schemes, "a.b \"c\"").to_string(), r#"card.security_schemes["a.b \"c\""]"#);
        assert_eq!(Path::Name(&schemes, "").to_string(), r#"card.security_schemes[""]"#);
        assert!(Path::Name(&schemes, &"x".repeat(9_999)).to_string().len() < 200);
        let body = Path::Root("");
        assert_eq!(Path::Member(&body, "name").to_string(), "name");
        assert_eq!(
            (Path::Name(&body, "x").to_string(), Path::Name(&body, "a b").to_string()),
            ("x".into(), "[\"a b\"]".into())
        );
    }

    #[test]
    fn what_is_missing_is_spelled_like_what_stands_around_it() {
        let root = Path::Root("card");
        let snake = Path::Member(&root, "supported_interfaces");
        let camel = Path::Member(&root, "supportedInterfaces");
        assert_eq!(Path::Entry(&snake, 0).spelling("protocolBinding"), "protocol_binding");
        assert_eq!(Path::Entry(&camel, 0).spelling("protocolBinding"), "protocolBinding");
        // A chosen name says nothing about spelling.
        let schemes = Path::Member(&root, "securitySchemes");
        assert_eq!(Path::Name(&schemes, "my_key").spelling("tokenUrl"), "tokenUrl");
    }
}
