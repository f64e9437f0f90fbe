use super::Microcredits;

#[test]
fn text_is_exact_both_ways() {
    for (text, millionths) in [
        ("0", 0),
        ("99", 99_000_000),
        ("0.1", 100_000),
        ("-2.5", -2_500_000),
        ("0.000001", 1),
        ("9223372036854.775807", i64::MAX),
    ] {
        assert_eq!(text.parse(), Ok(Microcredits(millionths)));
        assert_eq!(Microcredits(millionths).to_string(), text);
    }
    assert_eq!("1.50".parse(), Ok(Microcredits(1_500_000)));
}

#[test]
fn text_that_is_no_amount_is_refused_by_name() {
    for text in ["", "-", ".", "1.", ".5", "1e3", "0.0000001", "9223372036855", "1,5", "+1", "--1"] {
        let refused = text.parse::<Microcredits>().expect_err(text);
        assert!(refused.to_string().contains(text));
    }
}

#[test]
fn what_is_above_is_never_negative() {
    assert_eq!(Microcredits(5).above(Microcredits(3)), Microcredits(2));
    assert_eq!(Microcredits(3).above(Microcredits(5)), Microcredits::ZERO);
    assert_eq!(Microcredits(i64::MIN).above(Microcredits(1)), Microcredits::ZERO);
}
