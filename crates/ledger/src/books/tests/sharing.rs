//! Many sessions on one small balance: nobody overspends, overtakes or starves.

use std::collections::VecDeque;

use super::*;

const EXHAUSTED: Verdict = Verdict::Refused(PauseReason::CreditsExhausted);

#[test]
fn simultaneous_slices_of_75_on_500_are_exactly_six() {
    let mut scene = Scene::with_credits("500");
    scene.terms.min_slice_ms = scene.terms.heartbeat_ms;
    let verdicts: Vec<_> = (1..=20)
        .map(|session| {
            scene.begin_priced(session, Pricing { rate: credits("75"), ..essence(25) });
            scene.beat(session, 0, Ask::Slice).verdict
        })
        .collect();
    assert_eq!(verdicts.iter().filter(|verdict| **verdict == EXHAUSTED).count(), 14);
    scene.check("50", "450", "0");
}

#[test]
fn what_is_left_is_shared_evenly_between_a_second_and_a_heartbeat() {
    // 100 s of speech.
    let mut scene = Scene::with_credits("3.333334");
    let seconds: Vec<_> = (1..=6)
        .map(|session| {
            scene.begin(session);
            scene.beat(session, 0, Ask::Slice).slice_end / 25
        })
        .collect();
    assert_eq!(seconds, [60, 20, 6, 3, 2, 1]);
}

#[test]
fn a_new_session_waits_behind_those_in_line() {
    let mut scene = Scene::with_credits("0.04");
    scene.begin(1);
    scene.beat(1, 0, Ask::Slice);
    scene.begin(2);
    assert_eq!(scene.beat(2, 0, Ask::Slice).verdict, EXHAUSTED);
    scene.begin(3);
    // A second is there, but it belongs to the one that asked first.
    scene.top_up("0.05");
    let number = scene.next_number(3);
    let applied = scene.apply(&beat(3, 1, number, 0, Ask::Slice));
    let Outcome::Heartbeat(answer) = applied.outcome else { panic!("{applied:?}") };
    assert_eq!((answer.verdict, answer.others_wait), (EXHAUSTED, true));
    assert!(applied.available_rose, "it could be served after the one in front: the line is asked again");
    assert_eq!(scene.beat(2, 0, Ask::Slice).verdict, Verdict::Granted);
    assert_eq!(scene.beat(3, 0, Ask::Slice).verdict, EXHAUSTED);
}

#[test]
fn who_speaks_on_and_on_leaves_a_second_to_those_in_line() {
    let mut scene = Scene::with_credits("0.04");
    scene.begin(1);
    assert_eq!(scene.beat(1, 0, Ask::Slice).slice_end, 30);
    scene.begin(2);
    assert_eq!(scene.beat(2, 0, Ask::Slice).verdict, EXHAUSTED);
    // Too little for the line: who speaks uses it up. Enough for the line: who speaks leaves it.
    scene.top_up("0.02");
    assert_eq!(scene.beat(1, 30, Ask::Slice).slice_end, 45);
    scene.top_up("0.04");
    let ends = scene.beat(1, 40, Ask::Slice);
    assert_eq!((ends.verdict, ends.slice_end), (Verdict::Final, 50));
    assert_eq!(scene.beat(2, 0, Ask::Slice).verdict, Verdict::Final);
    scene.check("0.000001", "0.046666", "0.053333");
}

#[test]
fn one_that_leaves_the_line_makes_room_for_the_next() {
    let mut scene = Scene::with_credits("0.6");
    scene.begin(1);
    scene.beat(1, 0, Ask::Slice);
    scene.begin_priced(2, Pricing { rate: credits("30"), ..essence(25) });
    assert_eq!(scene.beat(2, 0, Ask::Slice).verdict, EXHAUSTED);
    scene.top_up("0.1");
    scene.begin(3);
    assert_eq!(scene.beat(3, 0, Ask::Slice).verdict, EXHAUSTED);
    let number = scene.next_number(2);
    assert!(scene.apply(&end(2, 1, number, 0)).available_rose);
    assert_eq!(scene.beat(3, 0, Ask::Slice).verdict, Verdict::Granted);
}

#[test]
fn fifty_at_once_on_a_fraction_of_what_they_want_are_all_served() {
    // 100 s of speech for fifty that want 10 s each.
    let mut stage = Stage::new("3.333334", 50, Some(250));
    stage.play(200 * 25);
    let spoken: Vec<_> = stage.players.iter().map(|player| player.used).collect();
    assert!(spoken.iter().all(|frames| *frames >= 25), "somebody starved: {spoken:?}");
    let totals = stage.scene.totals();
    assert_eq!((totals.debt, totals.granted), (credits("0"), credits("3.333334")));
    assert!(totals.available + totals.held < credits("0.033334"), "a second is left: {totals:?}");
}

#[test]
fn a_trickle_reaches_everyone_in_turn() {
    // Ten that never stop, and two seconds' worth every two seconds: a tenth of what they would use.
    let mut stage = Stage::new("0.4", 10, None);
    for _ in 0..300 {
        stage.play(50);
        stage.top_up("0.066667");
    }
    let spoken: Vec<_> = stage.players.iter().map(|player| player.used).collect();
    let (least, most) = (spoken.iter().min().expect("ten"), spoken.iter().max().expect("ten"));
    assert!(least * 2 > *most, "unevenly served: {spoken:?}");
}

#[test]
fn the_last_frame_is_spent_when_nobody_else_can_use_it() {
    for players in [1, 2, 3, 7] {
        let mut stage = Stage::new("0.777777", players, None);
        stage.play(100 * 25);
        let totals = stage.scene.totals();
        assert!(totals.held.is_zero());
        let spoken: u64 = stage.players.iter().map(|player| player.used).sum();
        let spent: Microcredits = stage.players.iter().map(|player| essence(25).cost(player.used)).sum();
        assert_eq!(totals.spent, spent);
        if players == 1 {
            assert_eq!(spoken, essence(25).affordable(credits("0.777777")).expect("not free"));
        }
    }
}

/// Sessions that behave as ours do, frame by frame: each asks at three quarters of its slice and once more at the
/// end of a final one; those that wait ask again, first come first, when they are told to.
struct Stage {
    scene: Scene,
    players: Vec<Player>,
    line: VecDeque<usize>,
}

struct Player {
    session: u128,
    used: Units,
    wants: Option<Units>,
    role: Role,
}

#[derive(Clone, Copy, PartialEq)]
enum Role {
    Speaks { slice_end: Units, asks_at: Units },
    Waits,
    Done,
}

impl Stage {
    fn new(balance: &str, players: usize, wants: Option<Units>) -> Self {
        let mut scene = Scene::with_credits(balance);
        let players: Vec<_> = (1..=players as u128)
            .map(|session| {
                assert_eq!(scene.begin(session), Outcome::Begun { epoch: 1 });
                Player { session, used: 0, wants, role: Role::Waits }
            })
            .collect();
        let mut stage = Self { scene, players, line: VecDeque::new() };
        for index in 0..stage.players.len() {
            stage.ask(index);
        }
        stage
    }

    fn play(&mut self, frames: usize) {
        for _ in 0..frames {
            self.scene.advance(40);
            for index in 0..self.players.len() {
                self.frame(index);
            }
        }
    }

    fn frame(&mut self, index: usize) {
        let player = &mut self.players[index];
        let Role::Speaks { slice_end, asks_at } = player.role else { return };
        if player.used < slice_end {
            player.used += 1;
        }
        if player.wants.is_some_and(|wants| player.used == wants) {
            player.role = Role::Done;
            let (session, used) = (player.session, player.used);
            let number = self.scene.next_number(session);
            let applied = self.scene.apply(&beat(session, 1, number, used, Ask::Release));
            self.wake(applied.available_rose);
        } else if player.used >= asks_at {
            self.ask(index);
        }
    }

    fn ask(&mut self, index: usize) {
        let again = self.ask_once(index);
        self.wake(again);
    }

    fn ask_once(&mut self, index: usize) -> bool {
        let player = &mut self.players[index];
        let number = self.scene.next_number(player.session);
        let applied = self.scene.apply(&beat(player.session, 1, number, player.used, Ask::Slice));
        let Outcome::Heartbeat(answer) = applied.outcome else { panic!("{applied:?}") };
        let slice = answer.slice_end - answer.settled_units;
        match answer.verdict {
            Verdict::Granted => {
                let asks_at = answer.settled_units + (slice * 3 / 4).max(1);
                player.role = Role::Speaks { slice_end: answer.slice_end, asks_at };
            }
            Verdict::Final => {
                player.role = Role::Speaks { slice_end: answer.slice_end, asks_at: answer.slice_end };
            }
            _ if player.role != Role::Waits || !self.line.contains(&index) => {
                player.role = Role::Waits;
                self.line.push_back(index);
            }
            _ => {}
        }
        applied.available_rose
    }

    /// Those in line ask again, first come first; a round that says so is followed by another.
    fn wake(&mut self, mut again: bool) {
        for _ in 0..10 {
            if !again {
                return;
            }
            again = false;
            for index in self.line.clone() {
                again |= self.ask_once(index);
                if self.players[index].role != Role::Waits {
                    self.line.retain(|other| *other != index);
                }
            }
        }
        panic!("those in line are told to ask again and again");
    }

    fn top_up(&mut self, amount: &str) {
        let applied = self.scene.top_up(amount);
        self.wake(applied.available_rose);
    }
}
