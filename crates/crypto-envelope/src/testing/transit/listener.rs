//! The listener: accepts one connection after the other, and ends with its value.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use rustls::{ServerConfig, ServerConnection, Stream};

use super::unsound;

/// What every client is told, whatever it asked.
pub const GREETING: &[u8] = b"HTTP/1.0 200 OK\r\ncontent-length: 5\r\n\r\nhello";

/// Longest wait for a client's next bytes; a client that is gone sooner costs nothing.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a [`Listener`] speaks.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Serving {
    /// The greeting, to anybody, without TLS.
    Plaintext,
    /// TLS as configured.
    Tls(Arc<ServerConfig>),
    /// TLS as configured, and an answer in TLS 1.1 to a hello that offers nothing newer: the first
    /// message of it, after which a client knows that the version is spoken.
    Tls11(Arc<ServerConfig>),
}

/// A server on the loopback interface that ends when it is dropped.
#[derive(Debug)]
pub struct Listener {
    address: SocketAddr,
    ended: Arc<AtomicBool>,
    refusals: Arc<Mutex<Vec<String>>>,
    thread: Option<JoinHandle<()>>,
}

impl Listener {
    /// Starts to listen on a free port.
    ///
    /// # Errors
    /// When there is no port, or no thread.
    pub fn start(serving: Serving) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let ended = Arc::new(AtomicBool::new(false));
        let refusals = Arc::new(Mutex::new(Vec::new()));
        let (end, told) = (Arc::clone(&ended), Arc::clone(&refusals));
        let run = move || {
            for stream in listener.incoming() {
                if end.load(Ordering::SeqCst) {
                    break;
                }
                let refusal = match stream.and_then(|stream| serve(&serving, stream)) {
                    Ok(None) => continue,
                    Ok(Some(refusal)) => refusal,
                    Err(error) => error.to_string(),
                };
                let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
                told.push(refusal);
            }
        };
        let thread = std::thread::Builder::new().spawn(run)?;
        Ok(Self {
            address,
            ended,
            refusals,
            thread: Some(thread),
        })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Why connections that have ended were not served, in their order.
    #[must_use]
    pub fn refusals(&self) -> Vec<String> {
        let refusals = self.refusals.lock();
        refusals.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
        // wakes the thread, which then sees that it is over
        if TcpStream::connect_timeout(&self.address, PATIENCE).is_ok()
            && let Some(thread) = self.thread.take()
        {
            drop(thread.join());
        }
    }
}

/// Serves one connection; why TLS was refused, if it was.
fn serve(serving: &Serving, mut stream: TcpStream) -> io::Result<Option<String>> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let refusal = match serving {
        Serving::Plaintext => {
            let mut request = [0_u8; 1_024];
            let _read_len = stream.read(&mut request)?;
            stream.write_all(GREETING)?;
            None
        }
        Serving::Tls(config) => serve_tls(config, &mut stream, &[])?,
        Serving::Tls11(config) => {
            let mut first = [0_u8; 4_096];
            let len = stream.read(&mut first)?;
            let hello = first.get(..len).unwrap_or_default();
            match unsound::tls11_answer(hello) {
                Some(answer) => {
                    stream.write_all(&answer)?;
                    None
                }
                None => serve_tls(config, &mut stream, hello)?,
            }
        }
    };
    // an end that leaves bytes unread would take back what was just written
    stream.shutdown(Shutdown::Write)?;
    let mut rest = [0_u8; 1_024];
    while stream.read(&mut rest).unwrap_or(0) > 0 {}
    Ok(refusal)
}

fn serve_tls(
    config: &Arc<ServerConfig>,
    stream: &mut TcpStream,
    mut already: &[u8],
) -> io::Result<Option<String>> {
    let mut connection = ServerConnection::new(Arc::clone(config)).map_err(io::Error::other)?;
    while !already.is_empty() {
        connection.read_tls(&mut already)?;
        if let Err(refusal) = connection.process_new_packets() {
            while connection.wants_write() {
                connection.write_tls(stream)?;
            }
            return Ok(Some(refusal.to_string()));
        }
    }
    let mut stream = Stream::new(&mut connection, stream);
    let mut request = [0_u8; 1_024];
    match stream.read(&mut request) {
        Ok(_len) => {
            stream.write_all(GREETING)?;
            stream.conn.send_close_notify();
            stream.flush()?;
            Ok(None)
        }
        Err(refusal) => Ok(Some(refusal.to_string())),
    }
}
