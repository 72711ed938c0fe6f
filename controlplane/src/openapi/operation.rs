//! One operation of the API, as it is described. A row of a slice's table:
//!
//! ```text
//! get("/v1/agents/{agent_id}", http::get)
//!     .named("getAgent", "An agent's row", "What the directory shows of it.")
//!     .fails(&MISSING)
//!     .answers(200, "The row.")
//! ```
//!
//! What the handler's signature tells (parameters of the path, kinds of failures, the type of the answer) is read from it.

use landline_wire::error::Code;
use serde_json::Value;

use super::handler::{Handler, SchemaOf, schema_of};
use super::parameter::{self, Parameter};

/// Who may ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Who {
    /// Everybody.
    Anyone,
    /// An agent, with its API key or a token.
    Caller,
    /// The same, or everybody if the called agent is public.
    CallerUnlessPublic,
    /// An agent, with its API key.
    KeyHolder,
    /// The agent of the path, with its API key.
    Owner,
    /// The operator.
    Admin,
}

/// A request's body.
#[derive(Debug, Clone)]
pub(crate) struct Body {
    /// Its media type, or a range of them.
    pub(crate) media: &'static str,
    /// What it holds; none: anything.
    pub(crate) schema: Option<SchemaOf>,
    /// One that passes.
    pub(crate) example: Option<Value>,
    /// Is there no request without it?
    pub(crate) required: bool,
    /// What becomes of it.
    pub(crate) about: &'static str,
}

/// Which operation an answer leads to, and where in the answer its parameter is.
pub(crate) type Link = (&'static str, &'static str, &'static str);

/// Stands for whatever status an agent answers with.
pub(crate) const ANY_STATUS: u16 = 0;

/// An answer that is no failure.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    /// Its status, or [`ANY_STATUS`].
    pub(crate) status: u16,
    /// What it says.
    pub(crate) about: &'static str,
    /// Media type and schema of its body; none: there is no body.
    pub(crate) content: Option<(&'static str, Option<SchemaOf>)>,
    /// Headers that it always has, with what they say.
    pub(crate) headers: Vec<(&'static str, &'static str)>,
    /// Operations that it leads to.
    pub(crate) links: &'static [Link],
    /// How it looks.
    pub(crate) example: Option<Value>,
}

/// One operation.
#[derive(Debug, Clone)]
pub(crate) struct Operation {
    /// Its methods: one, but for what passes any method on.
    pub(crate) methods: &'static [&'static str],
    /// Its path, under the prefix unless `at_root`, as the router has it.
    pub(crate) path: &'static str,
    /// Does it stand at the root of the origin?
    pub(crate) at_root: bool,
    /// Its name for programs.
    pub(crate) id: &'static str,
    /// Its name for people.
    pub(crate) title: &'static str,
    /// What it does.
    pub(crate) about: &'static str,
    /// Who may ask.
    pub(crate) who: Who,
    /// Its parameters.
    pub(crate) parameters: Vec<Parameter>,
    /// Its body, if it takes one.
    pub(crate) body: Option<Body>,
    /// Its answers, but for failures.
    pub(crate) answers: Vec<Answer>,
    /// With what it can fail, in the order of the catalogue.
    pub(crate) failures: Vec<Code>,
    /// The JSON that the handler's signature promises.
    pub(crate) gives: Option<SchemaOf>,
    /// Does it fail in the words of another standard?
    pub(crate) dialect: Option<Dialect>,
}

/// Another standard's way to say what failed: what the exchange answers with in place of a problem document. What a request
/// fails with on its way, at the switch, is a problem document all the same.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Dialect {
    /// Its name.
    pub(crate) name: &'static str,
    /// Its shape.
    pub(crate) schema: SchemaOf,
    /// Which status it has for a code.
    pub(crate) status: fn(Code) -> u16,
}

/// With what every request can fail, before anything of its own is looked at.
pub(crate) const EVERYWHERE: [Code; 10] = [
    Code::BadRequest,
    Code::TokenMissing,
    Code::TokenInvalid,
    Code::AgentBlocked,
    Code::RequestTimeout,
    Code::RateLimited,
    Code::HeaderTooLarge,
    Code::InternalError,
    Code::Overloaded,
    Code::ExchangeUnavailable,
];

/// With what a request about an agent can fail.
pub(crate) const MISSING: [Code; 3] = [Code::NotFound, Code::Gone, Code::TargetBlocked];

macro_rules! methods {
    ($($name:ident $method:literal)*) => {$(
        #[doc = concat!("`", $method, "` of a path.")]
        pub(crate) fn $name<Args, H: Handler<Args>>(path: &'static str, _: H) -> Operation {
            let mut operation = Operation::new(&[$method], path);
            H::describe(&mut operation);
            operation
        }
    )*};
}

methods! {
    get "GET"
    post "POST"
    put "PUT"
    patch "PATCH"
    delete "DELETE"
}

impl Operation {
    /// An operation without a handler of ours: the switch serves it.
    pub(crate) fn new(methods: &'static [&'static str], path: &'static str) -> Self {
        let mut operation = Self {
            methods,
            path,
            at_root: false,
            id: "",
            title: "",
            about: "",
            who: Who::Anyone,
            parameters: Vec::new(),
            body: None,
            answers: Vec::new(),
            failures: Vec::new(),
            gives: None,
            dialect: None,
        };
        operation.fail(&EVERYWHERE);
        operation
    }

    /// Adds failures; each is there once, in the order of the catalogue.
    pub(super) fn fail(&mut self, codes: &[Code]) {
        self.failures.extend(codes);
        self.failures.sort_unstable_by_key(|code| *code as usize);
        self.failures.dedup();
    }

    /// Its name for programs, its name for people, and what it does.
    pub(crate) fn named(mut self, id: &'static str, title: &'static str, about: &'static str) -> Self {
        (self.id, self.title, self.about) = (id, title, about);
        self
    }

    /// It stands at the root of the origin.
    pub(crate) fn at_root(mut self) -> Self {
        self.at_root = true;
        self
    }

    /// Who may ask, unless that is everybody.
    pub(crate) fn by(mut self, who: Who) -> Self {
        self.who = who;
        if !matches!(who, Who::Anyone) {
            self.fail(&[Code::NotAuthorized]);
        }
        self
    }

    /// A parameter.
    pub(crate) fn with(mut self, parameter: Parameter) -> Self {
        self.parameters.push(parameter);
        self
    }

    /// `limit` and `offset`.
    pub(crate) fn with_window(self) -> Self {
        self.with(parameter::limit()).with(parameter::offset())
    }

    /// A JSON body of this type.
    pub(crate) fn takes<T: schemars::JsonSchema>(mut self, about: &'static str, example: Value) -> Self {
        let (media, schema) = ("application/json", Some(schema_of::<T> as SchemaOf));
        self.body = Some(Body { media, schema, example: Some(example), required: true, about });
        self
    }

    /// With what it can fail besides.
    pub(crate) fn fails(mut self, codes: &[Code]) -> Self {
        self.fail(codes);
        self
    }

    /// It fails in the words of another standard.
    pub(crate) fn speaks(mut self, dialect: Dialect) -> Self {
        self.dialect = Some(dialect);
        self
    }

    /// An answer with the JSON that the handler gives, or without a body if it gives none.
    pub(crate) fn answers(self, status: u16, about: &'static str) -> Self {
        let content = self.gives.map(|schema| ("application/json", Some(schema)));
        self.answer(Answer { status, about, content, headers: Vec::new(), links: &[], example: None })
    }

    /// An answer of this media type.
    pub(crate) fn answers_with(self, status: u16, media: &'static str, about: &'static str) -> Self {
        self.answer(Answer {
            status,
            about,
            content: Some((media, None)),
            headers: Vec::new(),
            links: &[],
            example: None,
        })
    }

    /// An answer with a JSON body of this type.
    pub(crate) fn answers_json<T: schemars::JsonSchema>(self, status: u16, about: &'static str) -> Self {
        let content = Some(("application/json", Some(schema_of::<T> as SchemaOf)));
        self.answer(Answer { status, about, content, headers: Vec::new(), links: &[], example: None })
    }

    /// An answer without a body.
    pub(crate) fn answers_empty(self, status: u16, about: &'static str) -> Self {
        self.answer(Answer { status, about, content: None, headers: Vec::new(), links: &[], example: None })
    }

    fn answer(mut self, answer: Answer) -> Self {
        self.answers.push(answer);
        self
    }

    /// How the last answer looks.
    pub(crate) fn such_as(mut self, example: &impl serde::Serialize) -> Self {
        let example = serde_json::to_value(example).ok();
        self.answers.iter_mut().last().into_iter().for_each(|answer| answer.example.clone_from(&example));
        self
    }

    /// A header that the last answer has.
    pub(crate) fn header(mut self, name: &'static str, about: &'static str) -> Self {
        self.answers.iter_mut().last().into_iter().for_each(|answer| answer.headers.push((name, about)));
        self
    }

    /// Operations that the last answer leads to.
    pub(crate) fn leads_to(mut self, links: &'static [Link]) -> Self {
        self.answers.iter_mut().last().into_iter().for_each(|answer| answer.links = links);
        self
    }
}
