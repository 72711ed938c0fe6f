//! The vectors against plain arithmetic and a plain map.

use proptest::prelude::*;

use super::*;

fn id(n: u8) -> AgentId {
    AgentId::from_parts(1, [n; 10])
}

fn numbers() -> impl Strategy<Value = Vec<f32>> {
    proptest::collection::vec(-1.0_f32..1.0, 32)
        .prop_filter("points somewhere", |numbers| numbers.iter().any(|number| number.abs() > 0.01))
}

fn exact(one: &[f32], other: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
    dot(one, other) / (dot(one, one) * dot(other, other)).sqrt()
}

proptest! {
    #[test]
    fn a_byte_a_number_keeps_the_cosine(one in numbers(), other in numbers()) {
        let (a, b) = (Vector::of(&one).unwrap(), Vector::of(&other).unwrap());
        let kept = f64::from(cosine((&a.numbers, a.unit), (&b.numbers, b.unit)));
        prop_assert!((kept - exact(&one, &other)).abs() < 0.02, "{kept} {}", exact(&one, &other));
        prop_assert_eq!(Vector::from_bytes(&a.bytes()), Some(a));
    }

    #[test]
    fn what_was_put_and_not_removed_is_found(
        steps in proptest::collection::vec((any::<bool>(), 0_u8..8, numbers()), 0..40),
        task in numbers(),
    ) {
        let (mut vectors, mut model) = (Vectors::default(), HashMap::new());
        for (put, n, numbers) in steps {
            if put {
                prop_assert!(vectors.put(id(n), &Vector::of(&numbers).unwrap()));
                model.insert(id(n), Vector::of(&numbers).unwrap());
            } else {
                vectors.remove(id(n));
                model.remove(&id(n));
            }
        }
        let task = Vector::of(&task).unwrap();
        let found = vectors.nearest(&task, 100, |_| true);
        prop_assert_eq!(found.best.len(), model.len());
        prop_assert!(found.best.is_sorted_by(|a, b| a.meaning >= b.meaning));
        for near in &found.best {
            let of = &model[&near.agent];
            let expected = found.shown(cosine((&of.numbers, of.unit), (&task.numbers, task.unit)));
            prop_assert_eq!(near.meaning, expected);
            prop_assert_eq!(vectors.near(near.agent, &task, &found), Some(expected));
        }
        let few = vectors.nearest(&task, 3, |_| true);
        prop_assert_eq!(&few.best[..], &found.best[..model.len().min(3)]);
    }
}

#[test]
fn only_the_wanted_are_found_and_the_same_text_is_near() {
    let mut vectors = Vectors::default();
    for n in 0..50 {
        let angle = f32::from(n) / 10.0;
        assert!(vectors.put(id(n), &Vector::of(&[angle.cos(), angle.sin()]).unwrap()));
    }
    let task = Vector::of(&[1.0, 0.0]).unwrap();
    let found = vectors.nearest(&task, 2, |agent| agent != id(0));
    assert_eq!(found.best.iter().map(|near| near.agent).collect::<Vec<_>>(), [id(1), id(2)]);
    let same = vectors.nearest(&task, 1, |_| true).best[0];
    assert!(same.agent == id(0) && same.meaning > 0.95, "{same:?}");
    assert_eq!(vectors.near(id(31), &task, &found), Some(0.0), "the opposite is not near");
}

#[test]
fn what_is_no_direction_has_no_vector() {
    for numbers in [vec![], vec![0.0; 4], vec![f32::NAN, 1.0], vec![f32::INFINITY], vec![1.0; MAX_DIMENSIONS + 1]] {
        assert_eq!(Vector::of(&numbers), None);
    }
    for bytes in [vec![], vec![1, 2, 3], vec![0, 0, 0, 0, 5], f32::NAN.to_le_bytes().to_vec()] {
        assert_eq!(Vector::from_bytes(&bytes), None, "{bytes:?}");
    }
    let mut vectors = Vectors::default();
    assert!(vectors.put(id(1), &Vector::of(&[1.0, 2.0]).unwrap()));
    assert!(!vectors.put(id(2), &Vector::of(&[1.0]).unwrap()), "another length");
    assert!(vectors.nearest(&Vector::of(&[1.0]).unwrap(), 5, |_| true).best.is_empty());
}
