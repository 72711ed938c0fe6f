//! The embeddings endpoint: what is asked, and what an answer must be.

use std::time::Duration;

use landline_link::Secret;
use serde::{Deserialize, Serialize};

use super::vectors::{MAX_DIMENSIONS, Vector};
use crate::config;
use crate::egress::Resolver;
use crate::relay::direct::{Failure, Service};

/// Texts of one question: what every such server takes, and a second or two for a small one.
pub(super) const TEXTS: usize = 32;
/// Bytes of an answer: [`TEXTS`] vectors of [`MAX_DIMENSIONS`] numbers with all their digits.
const ANSWER_BYTES: usize = TEXTS * MAX_DIMENSIONS * 26;

/// Why there are no vectors.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoVectors {
    /// The endpoint did not answer.
    #[error("the embeddings endpoint did not answer: {0}")]
    NoAnswer(String),
    /// It refused the texts; asking again will not help.
    #[error("the embeddings endpoint refused the texts with status {0}")]
    Refused(u16),
    /// It refused us, or is in trouble.
    #[error("the embeddings endpoint answered with status {0}; are its URL, model and key right?")]
    Status(u16),
    /// Its answer is no list of vectors, one for each text.
    #[error("the embeddings endpoint's answer is not one vector for each text: {0}")]
    BadAnswer(&'static str),
}

#[derive(Serialize)]
struct Question<'a> {
    model: &'a str,
    input: &'a [String],
    encoding_format: &'static str,
}

#[derive(Deserialize)]
struct Answer {
    data: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    index: usize,
    embedding: Vec<f32>,
}

/// An endpoint and a model of it.
pub(super) struct Endpoint {
    /// `None`: the settings' URL is none, which the command line refuses before.
    service: Option<Service>,
    pub(super) model: String,
}

impl Endpoint {
    /// That of the settings.
    pub(super) fn new(given: &config::Embeddings, resolver: Resolver) -> Self {
        let service = Service::at(&given.url, given.key.as_ref().map(|Secret(key)| Secret(key.clone())), resolver);
        if let Err(error) = &service {
            tracing::error!(%error, "the URL of the embeddings endpoint cannot be used");
        }
        Self { service: service.ok(), model: given.model.clone() }
    }

    /// The vectors of texts, at most [`TEXTS`], in their order; `None` for a text that has no direction.
    pub(super) async fn embed(&self, texts: &[String], deadline: Duration) -> Result<Vec<Option<Vector>>, NoVectors> {
        let service = self.service.as_ref().ok_or_else(|| NoVectors::NoAnswer("its URL is none".into()))?;
        let question = Question { model: &self.model, input: texts, encoding_format: "float" };
        let question = serde_json::to_vec(&question).map_err(|_| NoVectors::BadAnswer("the question is no JSON"))?;
        let (status, body) = service
            .post("/embeddings", question.into(), deadline, ANSWER_BYTES)
            .await
            .map_err(|failure: Failure| NoVectors::NoAnswer(format!("{failure:?}")))?;
        match status {
            200 => read(&body, texts.len()),
            400 | 413 | 422 => Err(NoVectors::Refused(status)),
            _ => Err(NoVectors::Status(status)),
        }
    }
}

/// Reads an answer: items in any order, each with the place of its text.
fn read(body: &[u8], texts: usize) -> Result<Vec<Option<Vector>>, NoVectors> {
    let answer: Answer = serde_json::from_slice(body).map_err(|_| NoVectors::BadAnswer("it cannot be read"))?;
    if answer.data.len() != texts {
        return Err(NoVectors::BadAnswer("their numbers differ"));
    }
    let mut vectors = vec![None; texts];
    for item in answer.data {
        let slot = vectors.get_mut(item.index).ok_or(NoVectors::BadAnswer("an index is no text's"))?;
        if slot.replace(Vector::of(&item.embedding)).is_some() {
            return Err(NoVectors::BadAnswer("an index comes twice"));
        }
    }
    Ok(vectors.into_iter().flatten().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_are_put_where_their_texts_were() {
        let body = br#"{"object":"list","model":"m","data":[
            {"object":"embedding","index":1,"embedding":[0.0, 2.0]},
            {"object":"embedding","index":0,"embedding":[1, 0]},
            {"object":"embedding","index":2,"embedding":[0, 0]}]}"#;
        let read = read(body, 3).unwrap();
        assert_eq!(read, [Vector::of(&[1.0, 0.0]), Vector::of(&[0.0, 1.0]), None]);
    }

    #[test]
    fn an_answer_that_is_not_one_vector_for_each_text_is_refused() {
        for body in [
            "",
            "{}",
            r#"{"data":[]}"#,
            r#"{"error":{"message":"no"}}"#,
            r#"{"data":[{"index":0,"embedding":[1]},{"index":0,"embedding":[1]}]}"#,
            r#"{"data":[{"index":0,"embedding":[1]},{"index":7,"embedding":[1]}]}"#,
            r#"{"data":[{"index":0,"embedding":[1]}]}"#,
            r#"{"data":[{"index":0,"embedding":"AAAA"},{"index":1,"embedding":[1]}]}"#,
        ] {
            assert!(matches!(read(body.as_bytes(), 2), Err(NoVectors::BadAnswer(_))), "{body}");
        }
    }
}
