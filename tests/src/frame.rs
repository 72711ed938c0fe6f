//! The relay's frames as MessagePack maps, on an independent codec.

use rmpv::Value;

/// A frame that came.
#[derive(Debug, Clone, PartialEq)]
pub struct Frame(pub Vec<(String, Value)>);

impl Frame {
    /// Reads a message: exactly one map with string keys.
    ///
    /// # Panics
    /// If it is anything else: the relay may send nothing else.
    pub fn read(message: &[u8]) -> Self {
        let mut rest = message;
        let value = rmpv::decode::read_value(&mut rest).expect("the relay sends MessagePack");
        assert!(rest.is_empty(), "bytes behind the map");
        let Value::Map(entries) = value else { panic!("not a map: {value}") };
        let text = |key: &Value| key.as_str().expect("keys are strings").to_owned();
        let frame = Self(entries.iter().map(|(key, value)| (text(key), value.clone())).collect());
        assert_eq!(frame.0.first().map(|(key, _)| key.as_str()), Some("type"), "`type` comes first: {frame:?}");
        if frame.get("body").is_some() {
            assert_eq!(frame.0.last().map(|(key, _)| key.as_str()), Some("body"), "`body` comes last");
        }
        frame
    }

    /// A key's value; `None` if it is absent.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.0.iter().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    /// A string.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.get(key)?.as_str()
    }

    /// A number.
    pub fn number(&self, key: &str) -> Option<u64> {
        self.get(key)?.as_u64()
    }

    /// The frame's type.
    pub fn kind(&self) -> &str {
        self.text("type").unwrap_or_default()
    }

    /// The call's id.
    ///
    /// # Panics
    /// If the frame has none.
    pub fn id(&self) -> u64 {
        self.number("id").unwrap_or_else(|| panic!("no id: {self:?}"))
    }

    /// The body's bytes; empty if there is none.
    pub fn body(&self) -> &[u8] {
        match self.get("body") {
            Some(Value::Binary(bytes)) => bytes,
            Some(other) => panic!("body is not bin: {other}"),
            None => &[],
        }
    }

    /// Do more parts follow?
    pub fn more(&self) -> bool {
        self.get("more").and_then(Value::as_bool).unwrap_or(false)
    }

    /// A header field of the `headers` map.
    pub fn header(&self, name: &str) -> Option<&str> {
        let headers = self.get("headers")?.as_map()?;
        headers.iter().find(|(key, _)| key.as_str() == Some(name)).and_then(|(_, value)| value.as_str())
    }

    /// The names in the `headers` map.
    pub fn header_names(&self) -> Vec<&str> {
        let headers = self.get("headers").and_then(Value::as_map);
        headers.map(|map| map.iter().filter_map(|(key, _)| key.as_str()).collect()).unwrap_or_default()
    }
}

/// Writes a map with these entries, in this order.
///
/// # Panics
/// Never: memory does not refuse to be written.
pub fn map(entries: &[(&str, Value)]) -> Vec<u8> {
    let entries = entries.iter().map(|(key, value)| (Value::from(*key), value.clone())).collect();
    let mut bytes = Vec::new();
    rmpv::encode::write_value(&mut bytes, &Value::Map(entries)).expect("written to memory");
    bytes
}

/// A header map.
pub fn headers(fields: &[(&str, &str)]) -> Value {
    Value::Map(fields.iter().map(|(name, value)| (Value::from(*name), Value::from(*value))).collect())
}

/// `auth`.
pub fn auth(token: &str) -> Vec<u8> {
    map(&[("type", "auth".into()), ("v", 1.into()), ("token", token.into()), ("client", "landline-tests".into())])
}

/// `auth` with features.
pub fn auth_with(token: &str, features: &[&str]) -> Vec<u8> {
    let features = Value::Array(features.iter().map(|feature| Value::from(*feature)).collect());
    map(&[("type", "auth".into()), ("v", 1.into()), ("token", token.into()), ("features", features)])
}

/// `response`, whole, with status 200.
pub fn response(id: u64, body: &[u8]) -> Vec<u8> {
    map(&[("type", "response".into()), ("id", id.into()), ("body", Value::Binary(body.into()))])
}

/// `response` with everything.
pub fn response_with(id: u64, status: u64, fields: &[(&str, &str)], more: bool, body: &[u8]) -> Vec<u8> {
    map(&[
        ("type", "response".into()),
        ("id", id.into()),
        ("status", status.into()),
        ("headers", headers(fields)),
        ("more", more.into()),
        ("body", Value::Binary(body.into())),
    ])
}

/// `chunk`.
pub fn chunk(id: u64, more: bool, body: &[u8]) -> Vec<u8> {
    map(&[("type", "chunk".into()), ("id", id.into()), ("more", more.into()), ("body", Value::Binary(body.into()))])
}

/// `credit`.
pub fn credit(id: u64, bytes: u64) -> Vec<u8> {
    map(&[("type", "credit".into()), ("id", id.into()), ("bytes", bytes.into())])
}

/// `cancel`.
pub fn cancel(id: u64) -> Vec<u8> {
    map(&[("type", "cancel".into()), ("id", id.into())])
}

/// `error` on a call.
pub fn error(id: u64, code: &str, detail: &str) -> Vec<u8> {
    map(&[("type", "error".into()), ("id", id.into()), ("code", code.into()), ("detail", detail.into())])
}

/// `call`.
pub fn call(id: u64, to: &str, body: &[u8]) -> Vec<u8> {
    map(&[("type", "call".into()), ("id", id.into()), ("to", to.into()), ("body", Value::Binary(body.into()))])
}

/// `ping`.
pub fn ping(t: u64) -> Vec<u8> {
    map(&[("type", "ping".into()), ("t", t.into())])
}
