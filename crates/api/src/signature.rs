//! The signature that Stripe puts on the calls of its webhook: `t=` the time, `v1=` the HMAC-SHA256 of `t.body`, more
//! than once while its secret is being rolled.

use data_encoding::HEXLOWER_PERMISSIVE;
use footlight_ledger::Timestamp;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// How far the time of a call may be from ours: what keeps an old call from being sent again.
const TOLERANCE_MS: i64 = 5 * 60_000;
/// Signatures looked at in one header at most.
const SIGNATURES_MAX: usize = 8;

/// Why a call is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotBelieved {
    /// The header says no time or carries no signature of a kind that is known.
    #[error("the header `stripe-signature` is not `t=...,v1=...`")]
    Malformed,
    /// It was signed too long ago, or in the future.
    #[error("the call was signed more than five minutes from now")]
    OutOfTime,
    /// Nobody signed this body with our secret.
    #[error("the signature is not of this body and this webhook's secret")]
    Wrong,
}

/// Believes a body that was signed with `secret`, within five minutes of `now`.
pub(crate) fn check(header: &str, body: &[u8], secret: &[u8], now: Timestamp) -> Result<(), NotBelieved> {
    let fields = || header.split(',').filter_map(|field| field.trim().split_once('='));
    let time = fields().find(|(name, _)| *name == "t").map(|(_, value)| value).ok_or(NotBelieved::Malformed)?;
    let seconds: i64 = time.parse().map_err(|_| NotBelieved::Malformed)?;
    let mut signatures = fields().filter(|(name, _)| *name == "v1").take(SIGNATURES_MAX).peekable();
    if signatures.peek().is_none() {
        return Err(NotBelieved::Malformed);
    }
    let mut expected = Hmac::<Sha256>::new_from_slice(secret).expect("a key of any length will do");
    expected.update(time.as_bytes());
    expected.update(b".");
    expected.update(body);
    // Compared in constant time, whatever came.
    let is_ours = signatures
        .filter_map(|(_, text)| HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok())
        .any(|signature| expected.clone().verify_slice(&signature).is_ok());
    if !is_ours {
        return Err(NotBelieved::Wrong);
    }
    let age = now.ms_since(Timestamp(seconds.saturating_mul(1_000)));
    if age.unsigned_abs() > TOLERANCE_MS.unsigned_abs() { Err(NotBelieved::OutOfTime) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_492_774_577_000);
    const BODY: &[u8] = br#"{"id": "evt_1"}"#;
    /// Of `1492774577.{"id": "evt_1"}` under `whsec_test`, by `openssl dgst -sha256 -hmac whsec_test`.
    const SIGNATURE: &str = "952cd89626c79cd65f12880afd38333422a10b88ff71136627ceb92ccdb0132c";

    fn is_believed(header: &str, body: &[u8], secret: &str, now: Timestamp) -> Result<(), NotBelieved> {
        check(header, body, secret.as_bytes(), now)
    }

    #[test]
    fn a_call_is_believed_when_its_body_and_time_are_signed_with_our_secret() {
        let header = format!("t=1492774577,v1={SIGNATURE}");
        assert_eq!(is_believed(&header, BODY, "whsec_test", NOW), Ok(()));
        let rolled = format!("t=1492774577, v1={}, v1={SIGNATURE}, v0=abc", "0".repeat(64));
        assert_eq!(is_believed(&rolled, BODY, "whsec_test", NOW), Ok(()));
        for (body, secret) in [(&b"{}"[..], "whsec_test"), (BODY, "whsec_other"), (BODY, "")] {
            assert_eq!(is_believed(&header, body, secret, NOW), Err(NotBelieved::Wrong));
        }
        let later = format!("t=1492774578,v1={SIGNATURE}");
        assert_eq!(is_believed(&later, BODY, "whsec_test", NOW), Err(NotBelieved::Wrong), "the time is signed too");
    }

    #[test]
    fn a_call_is_believed_for_five_minutes() {
        let header = format!("t=1492774577,v1={SIGNATURE}");
        for (ms, believed) in [
            (300_000, Ok(())),
            (-300_000, Ok(())),
            (300_001, Err(NotBelieved::OutOfTime)),
            (-300_001, Err(NotBelieved::OutOfTime)),
        ] {
            assert_eq!(is_believed(&header, BODY, "whsec_test", NOW.plus_ms(ms)), believed, "{ms}");
        }
    }

    #[test]
    fn headers_that_say_nothing_are_malformed() {
        let long = format!("t={},v1={SIGNATURE}", "9".repeat(40));
        for header in ["", "t=1", "v1=00", "t=x,v1=00", "garbage", &long] {
            assert_eq!(is_believed(header, BODY, "whsec_test", NOW), Err(NotBelieved::Malformed), "{header}");
        }
        for signature in ["", "00", &"g".repeat(64), &"0".repeat(65)] {
            let header = format!("t=1492774577,v1={signature}");
            assert_eq!(is_believed(&header, BODY, "whsec_test", NOW), Err(NotBelieved::Wrong), "{header}");
        }
        let far = format!("t={},v1={}", i64::MAX, "0".repeat(64));
        assert_eq!(is_believed(&far, BODY, "whsec_test", NOW), Err(NotBelieved::Wrong));
    }
}
