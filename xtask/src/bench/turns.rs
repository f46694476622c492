//! W4: refresh tokens that turn, each client's own chain, from 64 connections at once.

use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use super::client::{self, Client};
use super::load::Load;
use super::server::Server;
use crate::step::{Failure, Outcome};

/// Turns refresh tokens for so many seconds, one after the other on each connection. What is not
/// answered with the next token makes it worthless.
pub(super) fn run(server: &Server, tokens: Vec<String>, seconds: u32) -> Outcome<Load> {
    let end = Instant::now() + Duration::from_secs(seconds.into());
    let took = Mutex::new(Vec::new());
    let turn = |mut token: String| -> Outcome {
        let mut client = Client::connect(&server.address)?;
        let mut own = Vec::new();
        while Instant::now() < end {
            let request = client::post("/api/v1/refresh", &json!({ "refresh_token": token }));
            let began = Instant::now();
            let answer = client.send(request.as_bytes())?;
            own.push(began.elapsed());
            let next = answer.body.get("refresh_token").and_then(|next| next.as_str());
            let next = next.ok_or_else(|| Failure::new("a refresh token did not turn"))?;
            next.clone_into(&mut token);
        }
        took.lock().expect("no holder of this lock panics").extend(own);
        Ok(())
    };
    let before = server.processor_time()?;
    let began = Instant::now();
    thread::scope(|scope| {
        let all: Vec<_> = tokens.into_iter().map(|token| scope.spawn(|| turn(token))).collect();
        all.into_iter().try_for_each(|each| each.join().expect("a client does not panic"))
    })?;
    let elapsed = began.elapsed();
    let spent = server.processor_time()?.saturating_sub(before);
    let mut took = took.into_inner().expect("no holder of this lock panics");
    took.sort_unstable();
    let count = u32::try_from(took.len()).unwrap_or(u32::MAX).max(1);
    let load = Load {
        answer_count: took.len(),
        rate: f64::from(count) / elapsed.as_secs_f64(),
        p99: took.get(took.len() * 99 / 100).copied().unwrap_or_default(),
        processor: spent / count,
    };
    eprintln!("  refresh {:>8.0}/s  p99 {:?}", load.rate, load.p99);
    Ok(load)
}
