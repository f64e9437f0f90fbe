//! Who an operator is, and what that operator may do.

use std::collections::BTreeSet;

use actix_web::http::Method;
use actix_web::{HttpMessage as _, HttpRequest};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;

use crate::options::{AdminToken, ApiOptions};
use crate::problem::{Code, Problem};
use crate::secret;

/// What an operator's token opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Looking at everything.
    Read,
    /// Accounts' lives, secrets, sessions, the node: everything but money.
    Operate,
    /// Grants, plans and limits.
    Money,
    /// Claiming jobs and saying what became of them. Not in the log: workers ask all the time.
    Work,
}

impl Role {
    const ALL: [Self; 4] = [Self::Read, Self::Operate, Self::Money, Self::Work];

    /// Its name in the settings.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Operate => "operate",
            Self::Money => "money",
            Self::Work => "work",
        }
    }

    /// What a call asks for. Whatever changes credits has one of these words in its path.
    #[must_use]
    pub(crate) fn needed_for(method: &Method, path: &str) -> Self {
        const MONEY: [&str; 8] = ["grants", "plan", "limits", "spending-limit", "refunds", "voids", "void", "payments"];
        if *method == Method::GET || *method == Method::HEAD {
            Self::Read
        } else if path.split('/').any(|step| MONEY.contains(&step)) {
            Self::Money
        } else if path.starts_with("/admin/v1/jobs/") {
            Self::Work
        } else {
            Self::Operate
        }
    }
}

/// Passes if the operator behind a request has `role`: for what a call's body alone tells.
///
/// # Errors
/// As for a call that asks for the role by its path.
pub(crate) fn require(request: &HttpRequest, role: Role) -> Result<(), Problem> {
    let extensions = request.extensions();
    let operator = extensions.get::<Operator>();
    if operator.is_some_and(|operator| operator.may(role)) {
        return Ok(());
    }
    Err(lacks(role, operator.map_or("nobody", |operator| &operator.name)))
}

/// The problem of an operator without `role`.
pub(crate) fn lacks(role: Role, name: &str) -> Problem {
    let detail = format!("this asks for the role `{}`, which the token of {name} has not", role.as_str());
    Problem::new(Code::RoleMissing, detail).with("role", role.as_str())
}

/// An operator's token, by the name that the log of actions shows.
#[derive(Debug, Clone)]
pub struct OperatorToken {
    /// Its name.
    pub name: String,
    /// The token.
    pub token: AdminToken,
    /// What it opens.
    pub roles: BTreeSet<Role>,
}

/// The operator behind a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Operator {
    pub name: String,
    roles: BTreeSet<Role>,
}

impl Operator {
    /// Finds out whose token this is. All are compared, and in constant time, so that neither the length nor a common
    /// beginning nor the order can be measured.
    pub(crate) fn of_token(options: &ApiOptions, sent: &str) -> Option<Self> {
        let sent = secret::hash(sent);
        let chief = options.admin_token.iter().map(|token| ("admin", token, Role::ALL.into()));
        let others = options.operators.iter().map(|it| (it.name.as_str(), &it.token, it.roles.clone()));
        let known = chief.chain(others).filter(|(_, token, _)| token.is_set());
        known.fold(None, |found, (name, token, roles)| {
            let is_same = bool::from(sent.ct_eq(&secret::hash(token.text())));
            if is_same { Some(Self { name: name.to_owned(), roles }) } else { found }
        })
    }

    /// An operator whose token and roles another node has checked, for a call that asks for `role`.
    pub(crate) fn forwarded(name: String, role: Role) -> Self {
        Self { name, roles: [role].into() }
    }

    /// Whether its token opens calls of `role`.
    pub(crate) fn may(&self, role: Role) -> bool {
        self.roles.contains(&role)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_token_is_its_own_operator_with_its_own_roles() {
        let options = ApiOptions {
            admin_token: Some(AdminToken::new("chief")),
            operators: vec![
                OperatorToken {
                    name: "till".to_owned(),
                    token: AdminToken::new("till-token"),
                    roles: [Role::Read, Role::Money].into(),
                },
                OperatorToken { name: "none".to_owned(), token: AdminToken::new(""), roles: Role::ALL.into() },
            ],
            ..ApiOptions::default()
        };
        let chief = Operator::of_token(&options, "chief").expect("is known");
        assert!(Role::ALL.into_iter().all(|role| chief.may(role)));
        let till = Operator::of_token(&options, "till-token").expect("is known");
        assert_eq!((till.name.as_str(), till.may(Role::Money), till.may(Role::Operate)), ("till", true, false));
        for unknown in ["", "chie", "chief ", "till"] {
            assert_eq!(Operator::of_token(&options, unknown), None, "{unknown}");
        }
    }

    #[test]
    fn what_changes_credits_asks_for_money() {
        let needed = |method: &Method, path: &str| Role::needed_for(method, path);
        assert_eq!(needed(&Method::POST, "/admin/v1/accounts/acc_1/grants"), Role::Money);
        assert_eq!(needed(&Method::PUT, "/admin/v1/accounts/acc_1/plan"), Role::Money);
        assert_eq!(needed(&Method::PUT, "/admin/v1/accounts/acc_1/secrets/sec_1/spending-limit"), Role::Money);
        assert_eq!(needed(&Method::POST, "/admin/v1/accounts/acc_1/secrets/sec_1/rotate"), Role::Operate);
        assert_eq!(needed(&Method::GET, "/admin/v1/plans"), Role::Read);
        assert_eq!(needed(&Method::POST, "/admin/v1/jobs/claim"), Role::Work);
        assert_eq!(needed(&Method::POST, "/admin/v1/accounts/acc_1/suspend"), Role::Operate);
        assert_eq!(needed(&Method::POST, "/admin/v1/accounts"), Role::Operate);
    }
}
