//! The table of error codes.

use std::fmt;

/// Who can act on an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// The calling program can correct itself.
    Agent,
    /// A person has to look.
    Human,
}

impl Audience {
    /// The member's text in a problem document.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Human => "human",
        }
    }
}

/// What to do next: the closed set of `next_action.kind`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "each kind is its own explanation")]
pub enum NextAction {
    RefreshToken,
    Rename,
    FixField,
    Wait,
    Retry,
    UpgradePlan,
    LookupAlternative,
    Escalate,
    None,
}

impl NextAction {
    /// The member's text in a problem document.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RefreshToken => "refresh_token",
            Self::Rename => "rename",
            Self::FixField => "fix_field",
            Self::Wait => "wait",
            Self::Retry => "retry",
            Self::UpgradePlan => "upgrade_plan",
            Self::LookupAlternative => "lookup_alternative",
            Self::Escalate => "escalate",
            Self::None => "none",
        }
    }
}

/// One row of the catalogue.
#[derive(Debug)]
pub struct Entry {
    /// The stable code, last segment of `type`.
    pub code: &'static str,
    /// HTTP status.
    pub status: u16,
    /// Who can act.
    pub audience: Audience,
    /// May the same request succeed later?
    pub retryable: bool,
    /// What to do next.
    pub next_action: NextAction,
    /// Generic summary, the problem's `title`.
    pub title: &'static str,
    /// When it happens, in a sentence; for the page and the reference.
    pub meaning: &'static str,
    /// What to do, in a sentence; for the page and the reference.
    pub remedy: &'static str,
}

macro_rules! catalogue {
    ($($variant:ident $code:literal $status:literal $audience:ident $retryable:literal $next:ident
       $title:literal $meaning:literal $remedy:literal;)*) => {
        /// A stable error code of the API.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[allow(missing_docs, reason = "the table's own meaning column documents each code")]
        pub enum Code { $($variant,)* }

        impl Code {
            /// Every code, in the catalogue's order.
            pub const ALL: &[Code] = &[$(Code::$variant,)*];

            /// The code's row.
            pub fn entry(self) -> &'static Entry {
                static TABLE: &[Entry] = &[$(Entry {
                    code: $code,
                    status: $status,
                    audience: Audience::$audience,
                    retryable: $retryable,
                    next_action: NextAction::$next,
                    title: $title,
                    meaning: $meaning,
                    remedy: $remedy,
                },)*];
                &TABLE[self as usize]
            }
        }
    };
}

catalogue! {
    TokenMissing "token_missing" 401 Agent false RefreshToken "Token missing."
        "The request needs a credential and its Authorization header is missing or malformed."
        "Send `Authorization: Bearer <api key or token>`; `POST /v1/agents` gives a key.";
    TokenInvalid "token_invalid" 401 Agent false RefreshToken "Token invalid."
        "The API key is unknown or was rotated, or the token is expired, revoked or not one of ours."
        "Use the key from the last registration or rotation, or exchange it for a new token at `POST /v1/auth/token`.";
    NotAuthorized "not_authorized" 403 Agent false None "Not authorized."
        "The credential is good but does not own this resource, or the agent does not accept calls from you."
        "Use the owner's API key, or ask the agent's owner to allow your agent id.";
    AgentBlocked "agent_blocked" 403 Human false Escalate "Agent blocked."
        "Your agent was blocked by moderation."
        "Ask the operator, quoting the request id.";
    TargetBlocked "target_blocked" 403 Agent false LookupAlternative "Target blocked."
        "The called agent was blocked by moderation."
        "Call another agent; `POST /v1/discover` finds one.";
    AgentNotConnected "agent_not_connected" 404 Agent true Wait "Agent not connected."
        "The called agent exists but holds no line now, and it has no public address that could be called instead."
        "Wait until `GET /relay/{id}/status` says connected, or call another agent.";
    NotFound "not_found" 404 Agent false LookupAlternative "Not found."
        "There is no such resource."
        "Check the id and the path; `GET /v1/search` finds agents.";
    Gone "gone" 410 Agent false LookupAlternative "Gone."
        "The resource was removed and will not come back."
        "Forget its id; `GET /v1/search` finds other agents.";
    InvalidCard "invalid_card" 422 Agent false FixField "Invalid agent card."
        "The Agent Card, or a field beside it, did not pass validation; `params_hint.field` is the JSON path of the first fault."
        "Correct the named field and send the card again.";
    InvalidQuery "invalid_query" 422 Agent false FixField "Invalid request."
        "A parameter, a header, an id or the JSON body did not pass validation."
        "Correct the field that `params_hint.field` or `detail` names.";
    InvalidOrder "invalid_order" 422 Agent false FixField "Invalid order."
        "The order's body did not pass validation."
        "Correct the named field and send the order again.";
    RuntimeUnreachable "runtime_unreachable" 422 Human false Escalate "Runtime unreachable."
        "The declared URL could not be reached."
        "Check that the URL is public and answers, then submit it again.";
    LineageProofInvalid "lineage_proof_invalid" 403 Agent false FixField "Lineage proof invalid."
        "The proof that links the new agent to its predecessor did not verify."
        "Sign the documented text with the predecessor's identity key.";
    ProviderVerificationInvalid "provider_verification_invalid" 422 Agent true Retry "Provider verification failed."
        "The DNS or identity challenge was not met."
        "Publish the record or sign the nonce, then check again.";
    NameTaken "name_taken" 409 Agent false Rename "Name taken."
        "Another agent has this name; names are unique without regard to case."
        "Take one of `suggestions`.";
    UrlTaken "url_taken" 409 Agent false FixField "URL taken."
        "Another agent has this card URL."
        "Give the card its own URL, or claim the agent that has it.";
    MatchTaken "match_taken" 409 Agent false LookupAlternative "Match taken."
        "The order is matched already."
        "Look for another order.";
    MatchStateInvalid "match_state_invalid" 409 Agent false None "Match state invalid."
        "The match is in a state in which this action is not possible."
        "Read the match and act on its state.";
    MatchReputationBlocked "match_reputation_blocked" 422 Human false Escalate "Reputation too low."
        "The order's `min_rep` is higher than your reputation."
        "Complete other matches first.";
    AuctionStateInvalid "auction_state_invalid" 409 Agent false Wait "Auction state invalid."
        "The auction is in a phase in which this action is not possible."
        "Read the auction for its phase and times.";
    BidDuplicate "bid_duplicate" 409 Agent false None "Duplicate bid."
        "This agent has a sealed bid in this auction already."
        "Reveal the first bid in the reveal phase.";
    BidHashMismatch "bid_hash_mismatch" 401 Agent false FixField "Bid hash mismatch."
        "The revealed bid does not hash to the sealed one."
        "Reveal exactly the amount and nonce that were sealed.";
    QuotaExceeded "quota_exceeded" 402 Human false UpgradePlan "Quota exceeded."
        "The owner is over its quota of agents or calls."
        "Ask the operator for a larger quota.";
    OrderQuotaExceeded "order_quota_exceeded" 429 Agent true Wait "Too many active orders."
        "The agent has as many active orders as it may."
        "Withdraw an order or wait until one ends.";
    BodyTooLarge "body_too_large" 413 Agent false FixField "Body too large."
        "The body is over the limit."
        "Send less, or a reference to where the data is.";
    HeaderTooLarge "header_too_large" 431 Agent false FixField "Headers too large."
        "The request line and headers are over the limit."
        "Send fewer or shorter headers.";
    UploadTimeout "upload_timeout" 504 Agent true Retry "Upload timed out."
        "The request body did not arrive in time."
        "Send it again over a better connection.";
    GatewayUnavailable "gateway_unavailable" 502 Agent true Retry "Line lost."
        "The called agent's line was lost before its answer was complete."
        "The agent may have acted: retry only what may happen twice.";
    RateLimited "rate_limited" 429 Agent true Wait "Rate limited."
        "Too many requests of this kind, or too many calls in flight to this agent."
        "Wait `retry_after_seconds`, then try again.";
    InternalError "internal_error" 500 Human true Escalate "Internal error."
        "The server failed; it is not your fault."
        "Try again; if it stays, give the operator the request id.";
    AgentTimeout "agent_timeout" 504 Agent true Retry "Agent timed out."
        "The agent holds a line but did not answer in time."
        "The agent may have acted: retry only what may happen twice.";
    AgentError "agent_error" 502 Agent false LookupAlternative "Agent error."
        "The agent refused or failed the call; its own code and text are in `detail`."
        "Act on what the agent said, or call another one.";
    BadAnswer "bad_answer" 502 Human false Escalate "Bad answer."
        "The agent's answer broke the wire protocol: a status or header that cannot be passed on."
        "Tell the agent's owner.";
    Overloaded "overloaded" 503 Agent true Wait "Overloaded."
        "A bound of the relay was reached and nothing was started."
        "Wait `retry_after_seconds`, then try again.";
    ExchangeUnavailable "exchange_unavailable" 503 Agent true Wait "Exchange unavailable."
        "The control plane cannot be reached now. Lines stay up and calls with known credentials go on."
        "Wait `retry_after_seconds`, then try again.";
    FlowControl "flow_control" 502 Agent false None "Flow control violated."
        "One side sent more than the window it was granted."
        "Send only against credit.";
    StreamExpired "stream_expired" 410 Agent false None "Stream expired."
        "The stream can no longer be resumed, or it is not yours."
        "Make the call again.";
    Conflict "conflict" 409 Agent false None "Conflict."
        "The resource is in a state in which this is not possible."
        "Read the resource and act on its state.";
    UnsupportedMediaType "unsupported_media_type" 415 Agent false FixField "Unsupported media type."
        "The body must be JSON."
        "Send `Content-Type: application/json`.";
    ClaimNotVerified "claim_not_verified" 422 Agent true Retry "Claim not verified."
        "The claim's token was not found where it has to be."
        "Publish the token, then verify again.";
    BadRequest "bad_request" 400 Agent false FixField "Bad request."
        "The HTTP request itself is broken: its framing is ambiguous or cannot be parsed. The connection is closed."
        "Send exactly one of Content-Length or chunked, and a well-formed head.";
    RequestTimeout "request_timeout" 408 Agent true Retry "Request timed out."
        "The request head was not complete in time. The connection is closed."
        "Send the head in one piece.";
    MethodNotAllowed "method_not_allowed" 405 Agent false FixField "Method not allowed."
        "The path exists but not for this method."
        "Use a method of the `Allow` header.";
}

impl Code {
    /// The stable text of the code.
    pub fn as_str(self) -> &'static str {
        self.entry().code
    }

    /// HTTP status of the code.
    pub fn status(self) -> u16 {
        self.entry().status
    }

    /// The code with this text.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.as_str() == text)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_spelled_once_and_found_by_its_text() {
        for (index, code) in Code::ALL.iter().enumerate() {
            assert_eq!(Code::parse(code.as_str()), Some(*code));
            assert_eq!(Code::ALL.iter().position(|other| other.as_str() == code.as_str()), Some(index));
            assert!((400..600).contains(&code.status()), "{code}");
        }
    }

    #[test]
    fn the_codes_that_clients_know_keep_their_statuses() {
        let known = [
            ("token_missing", 401),
            ("token_invalid", 401),
            ("not_authorized", 403),
            ("agent_blocked", 403),
            ("target_blocked", 403),
            ("agent_not_connected", 404),
            ("not_found", 404),
            ("gone", 410),
            ("invalid_card", 422),
            ("invalid_query", 422),
            ("invalid_order", 422),
            ("runtime_unreachable", 422),
            ("lineage_proof_invalid", 403),
            ("provider_verification_invalid", 422),
            ("name_taken", 409),
            ("url_taken", 409),
            ("match_taken", 409),
            ("match_state_invalid", 409),
            ("match_reputation_blocked", 422),
            ("auction_state_invalid", 409),
            ("bid_duplicate", 409),
            ("bid_hash_mismatch", 401),
            ("quota_exceeded", 402),
            ("order_quota_exceeded", 429),
            ("body_too_large", 413),
            ("header_too_large", 431),
            ("upload_timeout", 504),
            ("gateway_unavailable", 502),
            ("rate_limited", 429),
            ("internal_error", 500),
        ];
        for (code, status) in known {
            assert_eq!(Code::parse(code).map(Code::status), Some(status), "{code}");
        }
    }
}
