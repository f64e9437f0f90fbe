//! Lists, a page at a time.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::problem::Problem;

/// Entries on a page when nothing is asked for.
const LIMIT_DEFAULT: usize = 50;
/// Entries on a page at most.
pub(crate) const LIMIT_MAX: usize = 200;

/// One page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct Page<T> {
    /// The entries.
    pub data: Vec<T>,
    /// Send this as `cursor` to get the next page; null on the last one.
    pub next_cursor: Option<String>,
}

impl<T> Page<T> {
    /// A page cut from entries of which one more than `limit` was asked for: if it came, there is a next page.
    pub(crate) fn cut<S>(
        mut found: Vec<S>,
        limit: usize,
        cursor: impl Fn(&S) -> String,
        show: impl Fn(S) -> T,
    ) -> Self {
        let more = found.len() > limit;
        found.truncate(limit);
        let next_cursor = if more { found.last().map(cursor) } else { None };
        Self { data: found.into_iter().map(show).collect(), next_cursor }
    }
}

/// Which page of a list.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
    /// Entries on the page, 1 to 200.
    #[param(example = 50, minimum = 1, maximum = 200)]
    pub limit: Option<usize>,
}

impl PageQuery {
    /// The number of entries asked for.
    ///
    /// # Errors
    /// A problem if it is out of range.
    pub(crate) fn limit(&self) -> Result<usize, Problem> {
        limit(self.limit)
    }

    /// The cursor, read as what it stands for.
    ///
    /// # Errors
    /// A problem if it is no cursor of this list.
    pub(crate) fn cursor<C: std::str::FromStr>(&self) -> Result<Option<C>, Problem> {
        cursor(self.cursor.as_deref())
    }
}

/// Checks a page's length.
pub(crate) fn limit(asked: Option<usize>) -> Result<usize, Problem> {
    let limit = asked.unwrap_or(LIMIT_DEFAULT);
    if !(1..=LIMIT_MAX).contains(&limit) {
        return Err(Problem::field("limit", format!("must be 1 to {LIMIT_MAX}, not {limit}")));
    }
    Ok(limit)
}

/// Reads a cursor.
pub(crate) fn cursor<C: std::str::FromStr>(text: Option<&str>) -> Result<Option<C>, Problem> {
    text.map(|text| text.parse().map_err(|_| Problem::field("cursor", "is not a `next_cursor` of this list")))
        .transpose()
}
