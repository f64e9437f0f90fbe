//! Two lists in the same order, side by side, a page of each at a time.

use std::cmp::Ordering;
use std::collections::VecDeque;
use std::pin::Pin;

use super::mover::MoveError;
use crate::StoreError;

type Page<'a, T> = Pin<Box<dyn Future<Output = Result<Vec<T>, StoreError>> + Send + 'a>>;

/// Reads the page after a thing; the first one after nothing.
type Fetch<'a, T> = Box<dyn Fn(Option<&T>) -> Page<'a, T> + Send + Sync + 'a>;

/// One list.
pub(super) struct Walk<'a, T> {
    fetch: Option<Fetch<'a, T>>,
    page: VecDeque<T>,
}

impl<'a, T: 'a> Walk<'a, T> {
    /// A list that is read by `fetch` until that answers nothing.
    pub(super) fn new<F>(fetch: impl Fn(Option<&T>) -> F + Send + Sync + 'a) -> Self
    where
        F: Future<Output = Result<Vec<T>, StoreError>> + Send + 'a,
    {
        Self {
            fetch: Some(Box::new(move |after: Option<&T>| -> Page<'a, T> { Box::pin(fetch(after)) })),
            page: VecDeque::new(),
        }
    }

    /// A list that is known already.
    pub(super) fn of(all: Vec<T>) -> Self {
        Self { fetch: None, page: all.into() }
    }

    /// Takes the first thing, and reads the next page behind the last one.
    async fn pop(&mut self) -> Result<Option<T>, StoreError> {
        let first = self.page.pop_front();
        if let Some(last) = first.as_ref().filter(|_| self.page.is_empty())
            && let Some(fetch) = &self.fetch
        {
            self.page = fetch(Some(last)).await?.into();
        }
        Ok(first)
    }

    async fn start(&mut self) -> Result<(), StoreError> {
        if let Some(fetch) = &self.fetch {
            self.page = fetch(None).await?.into();
        }
        Ok(())
    }
}

/// Where a thing is.
#[derive(Debug)]
pub(super) enum Side<T> {
    Source(T),
    Target(T),
    Both(T, T),
}

/// Both lists.
pub(super) struct Pair<'a, T> {
    source: Walk<'a, T>,
    target: Walk<'a, T>,
    order: fn(&T, &T) -> Ordering,
    is_started: bool,
}

impl<'a, T: 'a> Pair<'a, T> {
    /// Both are in this order.
    pub(super) fn new(source: Walk<'a, T>, target: Walk<'a, T>, order: fn(&T, &T) -> Ordering) -> Self {
        Self { source, target, order, is_started: false }
    }

    /// The next thing, wherever it is.
    pub(super) async fn next(&mut self) -> Result<Option<Side<T>>, MoveError> {
        if !std::mem::replace(&mut self.is_started, true) {
            self.source.start().await.map_err(MoveError::Source)?;
            self.target.start().await.map_err(MoveError::Target)?;
        }
        let order = match (self.source.page.front(), self.target.page.front()) {
            (None, None) => return Ok(None),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(one), Some(other)) => (self.order)(one, other),
        };
        let source = if order.is_le() { self.source.pop().await.map_err(MoveError::Source)? } else { None };
        let target = if order.is_ge() { self.target.pop().await.map_err(MoveError::Target)? } else { None };
        Ok(match (source, target) {
            (Some(source), Some(target)) => Some(Side::Both(source, target)),
            (Some(source), None) => Some(Side::Source(source)),
            (None, Some(target)) => Some(Side::Target(target)),
            (None, None) => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counting(numbers: &'static [u32], page: usize) -> Walk<'static, u32> {
        Walk::new(move |after: Option<&u32>| {
            let after = after.copied();
            async move {
                let rest = numbers.iter().copied().filter(|number| after.is_none_or(|after| *number > after));
                Ok(rest.take(page).collect())
            }
        })
    }

    #[tokio::test]
    async fn everything_is_met_once_in_order_whatever_the_pages() {
        for page in 1..5 {
            let mut pair = Pair::new(counting(&[1, 2, 4, 7, 8], page), counting(&[2, 3, 4, 9], page), Ord::cmp);
            let mut met = Vec::new();
            while let Some(side) = pair.next().await.expect("reads") {
                met.push(match side {
                    Side::Source(number) => format!("{number}-"),
                    Side::Target(number) => format!("-{number}"),
                    Side::Both(one, other) => format!("{one}{other}"),
                });
            }
            assert_eq!(met, ["1-", "22", "-3", "44", "7-", "8-", "-9"], "pages of {page}");
        }
    }
}
