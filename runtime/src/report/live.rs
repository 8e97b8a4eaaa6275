//! What a page says of the run that it is about: that it goes on and how far it is, or that it is over.

use crate::wording::{clock, utc};
use std::time::{Duration, Instant, SystemTime};

/// Seconds after which a browser loads the page of a run that goes on once more.
pub(super) const RENEWED: u64 = 5;

/// Times as long as the writing of a page has taken pass before it is written again, so that it takes no more than a fiftieth of the run.
const RARELY: u32 = 50;

/// Keeps where the reader was in the page, and what was unfolded: some browsers begin at the top again.
const SCRIPT: &str = "<script>const all=()=>[...document.querySelectorAll('details')];addEventListener('pagehide',()=>sessionStorage.\
                      setItem(location.pathname,JSON.stringify([scrollY,all().map(d=>d.open)])));addEventListener('DOMContentLoaded',\
                      ()=>{const was=JSON.parse(sessionStorage.getItem(location.pathname)||'null');if(was){all().forEach((d,i)=>\
                      d.open=was[1][i]);scrollTo(0,was[0])}})</script>";

/// How a run stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum State {
    /// It goes on: the share of its steps that are done, and the seconds until its end, where they can be told.
    Running { share: f64, left: Option<f64> },
    /// It ended before its time.
    Stopped,
    /// It is over.
    Finished,
}

impl State {
    /// What the head of the page holds beside its title.
    pub fn head(self) -> String {
        match self {
            State::Running { .. } => format!("<meta http-equiv=\"refresh\" content=\"{RENEWED}\">{SCRIPT}"),
            State::Stopped | State::Finished => String::new(),
        }
    }

    /// A sentence for the top of the page.
    pub fn sentence(self, now: SystemTime) -> String {
        let now = utc(now);
        match self {
            State::Running { share, left } => {
                let left = left.map_or_else(String::new, |left| format!(", about {} left", clock(left)));
                let share = (100.0 * share).floor();
                format!("The run goes on: {share} % done{left}. Written at {now}; the page renews itself.")
            }
            State::Stopped => format!("The run has stopped before its end. Written at {now}."),
            State::Finished => format!("The run is finished. Written at {now}."),
        }
    }
}

/// How fast a run is, in this session.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    start: Instant,
    /// Steps of the run that were done when the session began.
    before: u64,
}

impl Pace {
    pub fn new(before: u64) -> Self {
        Pace { start: Instant::now(), before }
    }

    /// How a run stands that goes on, after `done` of `all` steps.
    pub fn state(&self, done: u64, all: u64) -> State {
        let own = done.saturating_sub(self.before);
        let each = self.start.elapsed().as_secs_f64() / own as f64;
        let left = (own > 0).then(|| each * all.saturating_sub(done) as f64);
        State::Running { share: done as f64 / all.max(1) as f64, left }
    }
}

/// When something was made last, and how long that took.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Made(Option<(Instant, Duration)>);

impl Made {
    /// Does `work` and remembers how long it took.
    pub fn timed<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let outcome = work();
        self.0 = Some((Instant::now(), start.elapsed()));
        outcome
    }

    /// Whether it can be made again, `pause` after the last time or later, without costing the run much.
    pub fn is_due(&self, pause: Duration) -> bool {
        self.0.is_none_or(|(last, took)| last.elapsed() >= pause.max(took * RARELY))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::UNIX_EPOCH;

    #[test]
    fn a_run_says_how_far_it_is_and_when_it_was_looked_at() {
        let sentence = |state: State| state.sentence(UNIX_EPOCH);
        assert_eq!(
            sentence(State::Running { share: 0.427, left: Some(65.0) }),
            "The run goes on: 42 % done, about 1:05 left. Written at 1970-01-01 00:00:00 UTC; the page renews itself."
        );
        assert!(sentence(State::Running { share: 0.0, left: None }).starts_with("The run goes on: 0 % done. "));
        for state in [State::Stopped, State::Finished] {
            assert!(state.head().is_empty() && !sentence(state).contains("renews"));
        }
    }

    #[test]
    fn the_time_that_is_left_is_told_from_the_steps_of_this_session() {
        assert_eq!(Pace::new(50).state(50, 100), State::Running { share: 0.5, left: None });
        let pace = Pace { start: Instant::now() - Duration::from_secs(10), before: 50 };
        let State::Running { share, left: Some(left) } = pace.state(75, 100) else { panic!("no time") };
        assert!(share == 0.75 && (left - 10.0).abs() < 0.5, "{left}");
    }

    #[test]
    fn what_takes_long_is_made_rarely() {
        let mut made = Made::default();
        assert!(made.is_due(Duration::from_secs(1000)));
        made.timed(|| std::thread::sleep(Duration::from_millis(20)));
        assert!(!made.is_due(Duration::ZERO));
        made.timed(|| ());
        assert!(!made.is_due(Duration::from_secs(1000)));
    }
}
