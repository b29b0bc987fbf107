//! Cursors of the message list: a direction and a seq, in one opaque word.

use crate::fault::Fault;
use tokenim_domain::log::{From, Page};
use tokenim_domain::{Error, id};

const PREFIX: &str = "cur_";
/// The bit above every seq; set where the list goes back in time.
const BACK: u128 = 1 << 64;

/// The cursor of a place. `None` for one that a next page never starts at.
fn write(from: From) -> Option<String> {
    let (direction, seq) = match from {
        From::After(seq) => (0, seq),
        From::Before(seq) => (BACK, seq),
        From::Around(_) | From::Newest => return None,
    };
    u64::try_from(seq).ok().map(|seq| format!("{PREFIX}{}", id::encode(direction | u128::from(seq))))
}

/// The place of a cursor.
///
/// Errors: `invalid_field` for text that is no cursor of this list.
pub(crate) fn read(text: &str) -> Result<From, Fault> {
    let number = text.strip_prefix(PREFIX).and_then(id::decode).filter(|number| *number < BACK << 1);
    let seq = number.and_then(|number| i64::try_from(number & (BACK - 1)).ok());
    match (number, seq) {
        (Some(number), Some(seq)) if number & BACK == 0 => Ok(From::After(seq)),
        (Some(_), Some(seq)) => Ok(From::Before(seq)),
        _ => Err(Error::invalid("cursor", "`cursor` must be the `next_cursor` of a page of this list").into()),
    }
}

/// The cursor of the page after this one, in the direction that `from` goes; `None` at the end of what may be seen.
pub(crate) fn next(from: From, page: &Page) -> Option<String> {
    match from {
        From::After(_) | From::Around(_) => {
            let last = page.events.last().map(|event| event.seq)?;
            (last < page.head).then(|| write(From::After(last)))?
        }
        From::Before(_) | From::Newest => {
            let first = page.events.first().map(|event| event.seq)?;
            (first > page.first.max(1)).then(|| write(From::Before(first)))?
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        for from in [From::After(0), From::After(7), From::Before(1), From::Before(i64::MAX)] {
            assert_eq!(read(&write(from).unwrap()).unwrap(), from);
        }
    }

    #[test]
    fn other_text_is_no_cursor() {
        for bad in [
            "",
            "7",
            "cur_",
            "cur_7",
            "cur_7zzzzzzzzzzzzzzzzzzzzzzzzz",
            &format!("cur_{}", id::encode(u128::from(u64::MAX))),
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
