//! A crowd of clients at one agent's door, from a few addresses of loopback.

use super::agent::Agent;
use rustix::net::{AddressFamily, SocketType, bind, connect, socket};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpStream};
use std::time::Duration;

/// From how many addresses a crowd comes: one alone is given half of the connections.
const ADDRESSES: usize = 3;
/// How long one of them pushes, and waits for an answer.
const PATIENCE: Duration = Duration::from_secs(3);
/// How many push at one time.
const HANDS: usize = 8;

/// Connections that are open at one time.
pub struct Crowd(Vec<TcpStream>);

impl Crowd {
    /// Comes to the door, and says nothing yet.
    #[track_caller]
    pub fn gather(agent: &Agent, count: usize) -> Crowd {
        let come = |i: usize| from(home(i), agent).expect("loopback has connections");
        Crowd((0..count).map(come).collect())
    }

    /// Each says its words, as many as the agent takes, at the same time as the others. Whom the agent
    /// has sent away says nothing.
    pub fn say(&mut self, words: impl Fn(usize) -> Vec<u8> + Sync) {
        self.all(|i, stream| {
            let _ = stream.write_all(&words(i));
        });
    }

    /// Each takes one piece of what the agent says to it, for a while. How many got a status.
    pub fn hear(&mut self) -> usize {
        let heard = std::sync::atomic::AtomicUsize::new(0);
        self.all(|_, stream| {
            let mut piece = [0; 1024];
            if stream.read(&mut piece).is_ok_and(|n| n > 0) {
                heard.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            }
        });
        heard.into_inner()
    }

    fn all(&mut self, act: impl Fn(usize, &mut TcpStream) + Sync) {
        let share = self.0.len().div_ceil(HANDS).max(1);
        std::thread::scope(|scope| {
            for (hand, streams) in self.0.chunks_mut(share).enumerate() {
                let act = &act;
                scope.spawn(move || {
                    for (i, stream) in streams.iter_mut().enumerate() {
                        act(hand * share + i, stream);
                    }
                });
            }
        });
    }
}

/// Where the client of this number comes from.
fn home(number: usize) -> Ipv4Addr {
    // Fewer than 256 addresses.
    Ipv4Addr::new(127, 0, 1, 1 + (number % ADDRESSES) as u8)
}

/// A connection from an address of loopback.
#[track_caller]
pub fn from(home: Ipv4Addr, agent: &Agent) -> std::io::Result<TcpStream> {
    let to: SocketAddr = agent.address.parse().expect("an agent has an address");
    let made = socket(AddressFamily::INET, SocketType::STREAM, None)?;
    bind(&made, &SocketAddrV4::new(home, 0))?;
    connect(&made, &to)?;
    let stream = TcpStream::from(made);
    stream.set_nodelay(true)?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(stream)
}
