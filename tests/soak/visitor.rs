//! A visitor, who signs in, opens pages and leaves. It checks each answer and reports unexpected ones.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use http::StatusCode;
use osc_tests::{Answer, Browser, location, parameter, path_of};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::time::{Instant, sleep, timeout};

use crate::answer::{Outcome, Page};
use crate::crowd::{Crowd, SESSION_COOKIE};
use crate::faults::Part;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Standing {
    SignedIn,
    /// The user has revoked the access at the provider. The app learns of it at the next refresh.
    TakenBack,
    SignedOut,
}

pub(crate) struct Visitor {
    crowd: Arc<Crowd>,
    browser: Browser,
    standing: Standing,
    /// The session's authorization code. The mock finds the grant by it.
    code: String,
    dice: StdRng,
}

impl Visitor {
    pub(crate) fn new(crowd: Arc<Crowd>, number: u64) -> Self {
        let (browser, dice) = (crowd.browser(), StdRng::seed_from_u64(number));
        Self { crowd, browser, standing: Standing::SignedOut, code: String::new(), dice }
    }

    /// Makes visit after visit until the crowd stops. A sign-out or the provider ends each visit but the last.
    pub(crate) async fn come_and_go(mut self) -> Self {
        while self.crowd.is_going_on() {
            if !self.sign_in().await {
                continue;
            }
            for _ in 0..self.dice.random_range(8..40) {
                if !self.crowd.is_going_on() {
                    return self;
                }
                self.look_around().await;
                self.think(100..1200).await;
            }
            if self.dice.random_bool(0.5) {
                self.sign_out().await;
            } else {
                self.be_ended().await;
            }
            self.browser = self.crowd.browser();
        }
        self
    }

    /// Makes one long visit.
    pub(crate) async fn stay(mut self) -> Self {
        while self.crowd.is_going_on() && self.standing != Standing::SignedIn {
            self.sign_in().await;
        }
        while self.crowd.is_going_on() {
            self.look_around().await;
            self.forget_pages();
            self.think(500..3000).await;
        }
        self
    }

    /// Signs in and returns when the crowd stops. By then its token has expired, and no request refreshed it.
    pub(crate) async fn sleep(mut self) -> Self {
        while self.crowd.is_going_on() && self.standing != Standing::SignedIn {
            self.sign_in().await;
        }
        self.crowd.over().await;
        self
    }

    pub(crate) fn is_signed_in(&self) -> bool {
        self.standing == Standing::SignedIn
    }

    /// Opens every page once. Returns true if it got all of them.
    pub(crate) async fn sees_all(&mut self) -> bool {
        let mut served = true;
        for page in Page::ALL {
            let outcome = Outcome::of(page, &visit(&mut self.browser, page).await);
            served &= matches!(outcome, Outcome::Served);
            if !matches!(outcome, Outcome::Served) {
                self.crowd.tally.lost.note(format!("at the end, {page:?}: {outcome:?}"));
            }
        }
        served
    }

    /// Returns true if the sign-in succeeded.
    async fn sign_in(&mut self) -> bool {
        let from = Instant::now();
        let answer = self.browser.navigate("/auth/signin?return_to=/dashboard").await;
        if answer.status() != StatusCode::SEE_OTHER {
            return self.failed_to_sign_in(from, &answer).await;
        }
        let callback = match self.crowd.osc.approve(&location(&answer)).await {
            Ok(callback) => callback,
            Err(error) => {
                self.crowd.tally.strange.note(format!("the consent page: {error}"));
                return false;
            }
        };
        if self.dice.random_bool(0.01) {
            let mut browser = self.browser.clone();
            self.hang_up_on(async move { browser.navigate(path_of(&callback)).await }).await;
            return false;
        }
        let from = Instant::now();
        let answer = self.browser.navigate(path_of(&callback)).await;
        if answer.status() != StatusCode::SEE_OTHER || location(&answer) != "/dashboard" {
            return self.failed_to_sign_in(from, &answer).await;
        }
        self.crowd.tally.sign_ins.one();
        (self.standing, self.code) = (Standing::SignedIn, parameter(&callback, "code"));
        true
    }

    async fn failed_to_sign_in(&mut self, from: Instant, answer: &Answer) -> bool {
        let excused = self.crowd.weather.excuses(Part::Provider, from, Instant::now());
        if answer.status() == StatusCode::BAD_GATEWAY && excused {
            self.crowd.tally.failed_sign_ins.one();
        } else {
            self.crowd.tally.strange.note(format!("sign-in: {answer:?}"));
        }
        self.think(500..1500).await;
        false
    }

    /// Opens one page, several at once as restored tabs do, or one that it drops.
    async fn look_around(&mut self) {
        match self.dice.random_range(0..100) {
            0..5 => {
                let page = self.any_page();
                let mut browser = self.browser.clone();
                self.hang_up_on(async move { visit(&mut browser, page).await }).await;
            }
            5..15 => {
                let from = Instant::now();
                let tabs = [Page::Session, Page::Dashboard, Page::Session, Page::Balance].map(|page| {
                    let mut browser = self.browser.clone();
                    async move { (page, visit(&mut browser, page).await) }
                });
                for (page, answer) in join_all(tabs).await {
                    self.judge(from, Outcome::of(page, &answer));
                }
            }
            _ => {
                let page = self.any_page();
                self.look_at(page).await;
            }
        }
    }

    async fn look_at(&mut self, page: Page) {
        let from = Instant::now();
        let answer = visit(&mut self.browser, page).await;
        self.judge(from, Outcome::of(page, &answer));
    }

    /// Counts the outcome, or reports it if it must not happen now.
    fn judge(&mut self, from: Instant, outcome: Outcome) {
        let (tally, weather) = (&self.crowd.tally, &self.crowd.weather);
        let excuses = |part| weather.excuses(part, from, Instant::now());
        match (self.standing, outcome) {
            (Standing::SignedIn | Standing::TakenBack, Outcome::Served) => tally.served.one(),
            (Standing::SignedIn, Outcome::Unavailable) if excuses(Part::Provider) => tally.unavailable.one(),
            (Standing::SignedIn, Outcome::PlatformFailed) if excuses(Part::Platform) => {
                tally.platform_failed.one();
            }
            (Standing::SignedIn, Outcome::Strange(what)) => tally.strange.note(what),
            (Standing::SignedIn, lost) => {
                let took = from.elapsed().as_secs_f64();
                tally.lost.note(format!("{lost:?} after {took:.1} s; {}", weather.lately()));
            }
            (Standing::TakenBack, Outcome::Ended(_)) => {
                tally.refused.one();
                self.standing = Standing::SignedOut;
            }
            (Standing::TakenBack, Outcome::Unavailable | Outcome::PlatformFailed) => {}
            (Standing::SignedOut, Outcome::Ended(why)) if why != "session_ended" => {}
            (_, wrong) => tally.strange.note(format!("{:?}: {wrong:?}", self.standing)),
        }
    }

    /// Signs out and checks that a copy of the cookie opens nothing.
    pub(crate) async fn sign_out(&mut self) {
        let mut copy = self.browser.clone();
        let answer = self.browser.post_from("same-origin", "/auth/signout").await;
        if answer.status() != StatusCode::SEE_OTHER || self.browser.cookies().contains_key(SESSION_COOKIE) {
            self.crowd.tally.strange.note(format!("sign-out: {answer:?}"));
        }
        self.standing = Standing::SignedOut;
        self.crowd.tally.sign_outs.one();
        let from = Instant::now();
        for page in Page::ALL {
            self.judge(from, Outcome::of(page, &visit(&mut copy, page).await));
        }
    }

    /// Revokes the grant at the provider. The app must end the session within the token's lifetime, trouble excepted.
    async fn be_ended(&mut self) {
        if !self.crowd.osc.revoke_grant(&self.code) {
            self.crowd.tally.strange.note("the provider does not know the session's grant");
        }
        self.standing = Standing::TakenBack;
        let (mut left, pause) = (self.crowd.token_ttl + Duration::from_secs(3), Duration::from_millis(300));
        while self.standing == Standing::TakenBack && self.crowd.is_going_on() {
            let from = Instant::now();
            self.look_at(Page::Session).await;
            if !self.crowd.weather.excuses(Part::Provider, from, Instant::now()) {
                left = left.saturating_sub(pause);
            }
            if left.is_zero() {
                self.crowd.tally.strange.note("a session outlived its revoked grant by a token's lifetime");
                return;
            }
            sleep(pause).await;
        }
    }

    async fn hang_up_on(&mut self, request: impl Future<Output = Answer>) {
        let patience = Duration::from_millis(self.dice.random_range(0..30));
        if timeout(patience, request).await.is_err() {
            self.crowd.tally.hung_up.one();
        }
    }

    fn any_page(&mut self) -> Page {
        Page::ALL[self.dice.random_range(0..Page::ALL.len())]
    }

    async fn think(&mut self, millis: std::ops::Range<u64>) {
        sleep(Duration::from_millis(self.dice.random_range(millis))).await;
    }

    /// Replaces the browser, which keeps every page for tests to read. Here it would only fill memory.
    fn forget_pages(&mut self) {
        if self.browser.seen().len() > 100_000 {
            let mut fresh = self.crowd.browser();
            for (name, value) in self.browser.cookies() {
                fresh.set_cookie(name, value);
            }
            self.browser = fresh;
        }
    }
}

async fn visit(browser: &mut Browser, page: Page) -> Answer {
    match page {
        Page::Dashboard => browser.navigate(page.path()).await,
        Page::Session | Page::Balance => browser.fetch(page.path()).await,
    }
}
