//! Which head is the newest.

use super::super::head::tests::head;
use super::*;
use crate::digest::Digest;

/// Guarantee: Evident
#[test]
fn the_state_directory_s_head_beats_what_somebody_has_put_into_the_archive() {
    let first = head(None, 1_000, 1);
    let second = head(Some(&first), 2_000, 2);
    let third = head(Some(&second), 3_000, 3);
    let foreign = Head {
        previous: Some(Digest::of(b"x")),
        ..third.clone()
    };
    let far = Head {
        number: 9,
        ..third.clone()
    };
    let is = |here: Option<&Head>, kept: Option<&Head>, chosen: Option<&Head>, doubted: bool| {
        let found = newer(here.cloned(), kept.cloned());
        assert_eq!(found.head.as_ref(), chosen);
        assert_eq!(found.doubt.is_some(), doubted, "{:?}", found.doubt);
    };
    is(None, None, None, false);
    // The state was lost, or is of a version before heads.
    is(Some(&second), None, Some(&second), false);
    is(Some(&second), Some(&second), Some(&second), false);
    for here in [None, Some(&first), Some(&foreign), Some(&far)] {
        is(here, Some(&second), Some(&second), true);
    }
}
