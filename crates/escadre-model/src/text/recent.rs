//! Short texts that come again and again in a file share their memory: keys, `tcp`, `true`.
//!
//! In: texts as they come. Out: the same texts, shared with the last equal one where that is still known.
//! **Invariant**: no input makes this slow or large: a text is compared with one other at the most, and so many are kept and no more.
//! Not here: what the texts mean.
//! Tests: below.

use std::sync::Arc;

/// How many texts are known at a time.
const KNOWN: usize = 1024;
/// Bytes of a text that is likely to come again; longer ones are paths, addresses and sentences.
const SHORT: usize = 32;

/// The texts lately seen, each at the place that its letters name; a new one takes the place of the one before.
pub(super) struct Recent {
    known: Vec<Option<Arc<str>>>,
}

impl Recent {
    pub(super) fn new() -> Self {
        Self { known: vec![None; KNOWN] }
    }

    /// The text, in memory that equal texts share.
    pub(super) fn share(&mut self, text: &str) -> Arc<str> {
        if text.len() > SHORT {
            return text.into();
        }
        // FNV-1a: a few letters are mixed in less time than it takes to ask for memory.
        let mixed = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |mixed, byte| {
            (mixed ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        let place = usize::try_from(mixed >> 32).unwrap_or_default() % KNOWN;
        match self.known.get_mut(place) {
            Some(Some(known)) if **known == *text => Arc::clone(known),
            Some(other) => Arc::clone(other.insert(text.into())),
            None => text.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{KNOWN, Recent, SHORT};
    use std::sync::Arc;

    #[test]
    fn equal_short_texts_share_memory_and_others_do_not() {
        let mut recent = Recent::new();
        let first = recent.share("image");
        assert!(Arc::ptr_eq(&first, &recent.share("image")));
        assert_eq!(&*recent.share("images"), "images");
        let long = "l".repeat(SHORT + 1);
        assert!(!Arc::ptr_eq(&recent.share(&long), &recent.share(&long)));
    }

    #[test]
    fn whatever_comes_the_text_is_the_one_asked_for() {
        let mut recent = Recent::new();
        for round in 0..3 {
            for number in 0..4 * KNOWN {
                let text = format!("text-{number}");
                assert_eq!(&*recent.share(&text), text, "round {round}");
            }
        }
        assert_eq!(recent.known.len(), KNOWN);
    }
}
