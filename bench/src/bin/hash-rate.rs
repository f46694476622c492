//! How many passwords one thread can hash in a second at today's cost, and nothing else beside it.
//!
//! `hash-rate SECONDS` prints it, and after it the microseconds of processor time that one hash took,
//! which others at work on the same core do not change. It is the ceiling for logins on one core.

use std::error::Error;
use std::io::Write;
use std::time::{Duration, Instant};

use doorward_core::credential::{HashParams, Hasher, Password, PasswordPolicy};

fn main() -> Result<(), Box<dyn Error>> {
    let seconds = std::env::args().nth(1).ok_or("usage: hash-rate SECONDS")?.parse()?;
    let length = Duration::from_secs_f64(seconds);
    let mut hasher = Hasher::new(&HashParams::DEFAULT)?;
    let typed = Password::from("four words picked blindly".to_owned());
    let password = typed.accept(&PasswordPolicy::DEFAULT, &[])?;

    // The first hash of a thread also finds the memory.
    password.hash(&HashParams::DEFAULT, &[0; 16], &mut hasher)?;
    let (start, used_before) = (Instant::now(), processor_time()?);
    let mut count = 0_u32;
    while start.elapsed() < length {
        count += 1;
        let mut salt = [0; 16];
        salt[..4].copy_from_slice(&count.to_le_bytes());
        password.hash(&HashParams::DEFAULT, &salt, &mut hasher)?;
    }
    let rate = f64::from(count) / start.elapsed().as_secs_f64();
    let micros =
        processor_time()?.saturating_sub(used_before).as_secs_f64() * 1e6 / f64::from(count);
    writeln!(std::io::stdout(), "{rate:.2} {micros:.0}")?;
    Ok(())
}

/// The time that this program's one thread has run.
fn processor_time() -> Result<Duration, Box<dyn Error>> {
    let used = std::fs::read_to_string("/proc/self/schedstat")?;
    let nanos = used.split(' ').next().unwrap_or_default().parse()?;
    Ok(Duration::from_nanos(nanos))
}
