//! Questions that are under way. Pure. The same question, asked again meanwhile by whichever core, waits for the same
//! answer: a storm asks the exchange once for each key and each agent.

use std::collections::HashMap;

use landline_link::Lookup;

use crate::boundary::Ticket;

/// Who waits for which answer.
#[derive(Debug, Default)]
pub(crate) struct Flights {
    waiting: HashMap<Lookup, Vec<Ticket>>,
}

impl Flights {
    /// Somebody asks. True if the exchange has to be asked: nobody is waiting for this answer yet.
    pub(crate) fn join(&mut self, question: &Lookup, ticket: Ticket) -> bool {
        if let Some(waiting) = self.waiting.get_mut(question) {
            waiting.push(ticket);
            return false;
        }
        self.waiting.insert(question.clone(), vec![ticket]);
        true
    }

    /// The answer came, or will not come: all who are to be told. Who asks from now on asks anew.
    pub(crate) fn land(&mut self, question: &Lookup) -> Vec<Ticket> {
        self.waiting.remove(question).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use landline_link::Secret;
    use landline_wire::ids::AgentId;

    use super::*;

    #[test]
    fn a_question_is_asked_once_and_everybody_is_told() {
        let mut flights = Flights::default();
        let ticket = |core, number| Ticket { core, number };
        let (key, other) = (Lookup::Key(Secret("a".into())), Lookup::Key(Secret("b".into())));
        assert!(flights.join(&key, ticket(0, 1)));
        assert!((2..5_000).all(|number| !flights.join(&key, ticket(number as usize % 4, number))));
        assert!(flights.join(&other, ticket(0, 9_000)), "another key is another question");
        assert!(flights.join(&Lookup::Agent(AgentId::from_parts(1, [0; 10])), ticket(0, 9_001)));
        let told = flights.land(&key);
        assert_eq!((told.len(), told[0], told[4_998].number), (4_999, ticket(0, 1), 4_999));
        assert!(flights.join(&key, ticket(0, 9_002)), "an answer is not kept here");
        assert_eq!(flights.land(&other), [ticket(0, 9_000)]);
    }
}
