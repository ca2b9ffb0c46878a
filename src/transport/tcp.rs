//! TCP conversations: connect, send, read until a text or the end.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::capability::Fault;
use super::connection::conversation;
use super::dial::{Stream, reason};
use crate::vocab::TcpTalk;
use crate::vocab::observation::NoReply;

/// A longer reply is no answer to a probe.
const LONGEST: usize = 1024 * 1024;

/// Holds `talk` over a stream that is connected, and gives the reply.
pub(super) async fn converse(mut stream: Box<dyn Stream>, talk: &TcpTalk) -> Result<Vec<u8>, Fault> {
    let mut reply = Vec::new();
    if let Some(text) = &talk.send {
        let written = async {
            stream.write_all(text.as_bytes()).await?;
            stream.flush().await
        };
        written.await.map_err(|error| conversation(reason(&error), &error.to_string()))?;
    } else if talk.until.is_none() {
        return Ok(reply);
    }
    let until = talk.until.as_deref().map(str::as_bytes);
    let mut chunk = [0; 8192];
    loop {
        let length = match stream.read(&mut chunk).await {
            Ok(length) => length,
            Err(error) => return Err(closed(&reply, &error.to_string())),
        };
        if length == 0 {
            return match until {
                // the peer's close is what was waited for
                None => Ok(reply),
                Some(_) => Err(closed(&reply, "")),
            };
        }
        let seen = reply.len();
        reply.extend_from_slice(&chunk[..length]);
        if let Some(until) = until {
            let from = seen.saturating_sub(until.len());
            if until.is_empty() || reply[from..].windows(until.len()).any(|window| window == until) {
                return Ok(reply);
            }
        }
        if reply.len() > LONGEST {
            return Err(conversation(NoReply::Protocol, "the reply is longer than 1 MiB"));
        }
    }
}

fn closed(reply: &[u8], why: &str) -> Fault {
    let so_far = String::from_utf8_lossy(&reply[..reply.len().min(200)]);
    let detail = match (reply.is_empty(), why) {
        (true, why) => why.to_owned(),
        (false, "") => format!("it had sent {so_far:?}"),
        (false, why) => format!("{why}; it had sent {so_far:?}"),
    };
    conversation(NoReply::Closed, &detail)
}
