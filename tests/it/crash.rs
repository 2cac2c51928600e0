//! The power goes at any moment: what was acknowledged is there afterwards, and what is there works.

use crate::harness::*;
use serde_json::json;
use std::time::{Duration, Instant};

/// How long each test goes on drawing moments.
const BUDGET: Duration = Duration::from_secs(8);

/// xorshift: moments need no quality, and a seed that is printed can be put in here again.
struct Moments(u64);

impl Moments {
    fn new() -> Moments {
        let bytes = arctic::agent::os::random::<8>().expect("entropy");
        let seed = u64::from_le_bytes(bytes) | 1;
        eprintln!("seed {seed}");
        Moments(seed)
    }

    /// Up to so many microseconds.
    fn next(&mut self, below: u64) -> Duration {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        Duration::from_micros(self.0 % below)
    }
}

/// Lets a request run into a kill at this moment; returns its answer if it came before.
fn kill_during(agent: &mut Agent, request: Request, moment: Duration) -> Option<Answer> {
    let address = agent.address.clone();
    let since = Instant::now();
    let asking = std::thread::spawn(move || request.try_send(&address));
    // Spinning, not sleeping: a moment inside a commit is shorter than a timer's tick.
    while since.elapsed() < moment {
        std::hint::spin_loop();
    }
    agent.kill();
    asking.join().expect("the thread ends")
}

#[test]
fn bootstrap_is_whole_or_not_at_all() {
    let lab = Lab::new();
    let document = std::fs::read_to_string(lab.path("license.json")).expect("a file");
    let (mut moments, end) = (Moments::new(), Instant::now() + BUDGET);
    let (mut acknowledged, mut rounds) = (0, 0);
    while Instant::now() < end || rounds == 0 {
        rounds += 1;
        let mut agent = lab.agent(&format!("agent{rounds}"));
        let request = Request::new("POST", "/v1/bootstrap").json(&document);
        let answer = kill_during(&mut agent, request, moments.next(12_000));
        agent.restart();
        let identity = Request::new("GET", "/v1/cluster/identity").send(&agent.address);
        match answer {
            Some(answer) => {
                acknowledged += 1;
                agent.adopt(&answer.is(201));
                assert_eq!(identity.is(200)["peer_id"], agent.peer_id.as_str());
                assert_eq!(agent.peers().len(), 1, "the credentials of the answer work");
            }
            // Either it happened, and nobody got the secret; or it can be done now.
            None if identity.status == 200 => {}
            None => agent.bootstrap(&lab.path("license.json")),
        }
    }
    println!("{rounds} kills, {acknowledged} after the answer");
}

#[test]
fn an_acknowledged_add_is_kept_by_both() {
    let lab = Lab::with_limits(200, 10);
    let mut alice = lab.member("alice");
    let (mut moments, end) = (Moments::new(), Instant::now() + BUDGET);
    let (mut others, mut rounds): (Vec<Agent>, u32) = (Vec::new(), 0);
    while (Instant::now() < end && rounds < 12) || rounds == 0 {
        rounds += 1;
        let other = lab.member(&format!("other{rounds}"));
        let body = json!({"address": other.address}).to_string();
        let request = Request::new("POST", "/v1/peers")
            .bearer(&alice.token())
            .json(body);
        let answer = kill_during(&mut alice, request, moments.next(60_000));
        alice.restart();
        if let Some(answer) = answer {
            answer.is(201);
            assert!(
                alice.peer(&other.peer_id).is_some(),
                "an acknowledged add is lost"
            );
        }
        // Nothing of a half add is in the way of a whole one.
        if alice.peer(&other.peer_id).is_none() {
            let again = alice.add(&other);
            assert!([201, 409].contains(&again.status), "{again:?}");
        }
        all_know_all(&[&alice, &other]);
        others.push(other);
        if others.len() > 3 {
            others.remove(0);
        }
    }
    println!("{rounds} kills");
}

#[test]
fn a_departure_happens_everywhere_or_nowhere() {
    let lab = Lab::with_limits(200, 10);
    let alice = lab.member("alice");
    let (mut moments, end) = (Moments::new(), Instant::now() + BUDGET);
    let (mut left, mut rounds) = (0, 0);
    while (Instant::now() < end && rounds < 12) || rounds == 0 {
        rounds += 1;
        let mut other = lab.member(&format!("other{rounds}"));
        alice.add(&other).is(201);
        let request = Request::new("DELETE", "/v1/peers/self").bearer(&other.token());
        let answer = kill_during(&mut other, request, moments.next(30_000));
        other.restart();
        let status = other.sees(&other);
        assert!(
            answer.is_none() || status == "deactivated",
            "an acknowledged departure is lost"
        );
        match status.as_str() {
            "deactivated" => {
                left += 1;
                alice.waits_to_see(&other, "", SOON);
            }
            _ => all_know_all(&[&alice, &other]),
        }
    }
    println!("{rounds} kills, {left} departures");
}
