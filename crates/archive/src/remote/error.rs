//! What a server did not do, and why.

use lle_core::repository::Address;

use super::Reply;

/// Characters of what a server says that are repeated.
const SAID_CHARS_MAX: usize = 120;
/// Characters of a region's name that are repeated.
const REGION_CHARS_MAX: usize = 40;

/// Why something on a server was not done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RemoteError {
    /// This program was built without that kind of server.
    #[error("this lusush was built without the feature {0}")]
    NotBuilt(&'static str),
    /// The address is a folder.
    #[error("it is no server")]
    NoServer,
    /// There is nothing to prove oneself with.
    #[error("neither the environment nor the file of `backup.credentials` has {0}")]
    NoCredentials(&'static str),
    /// The address or the credentials cannot be used.
    #[error("{0}")]
    Unusable(String),
    /// The server did not answer.
    #[error("{host} cannot be reached: {why}")]
    Unreachable {
        /// The server.
        host: String,
        /// Why not.
        why: String,
    },
    /// The server answers, and takes too long for it.
    #[error("{host} is too slow: {why}")]
    Slow {
        /// The server.
        host: String,
        /// What took too long.
        why: String,
    },
    /// The server does not know whoever asks, or does not let them.
    #[error("{host} does not let us {what}: it answers {said}")]
    Refused {
        /// The server.
        host: String,
        /// What was asked.
        what: String,
        /// What it said.
        said: String,
    },
    /// The server answers something else than what was asked for.
    #[error("{host} does not {what}: it answers {said}")]
    Answer {
        /// The server.
        host: String,
        /// What was asked.
        what: String,
        /// What it said.
        said: String,
    },
    /// The file is not there.
    #[error("{0} is not there")]
    Missing(String),
    /// The file is shorter than it should be.
    #[error("{0} is shorter than what is to be in it")]
    Short(String),
    /// There is one already, and it is another.
    #[error("{0} was written by somebody else meanwhile")]
    Taken(String),
    /// There is no bucket, or no repository, to write to.
    #[error("{0}")]
    NoPlace(String),
    /// The server does not speak as such a server does.
    #[error("{host} answers something that cannot be read, {what}")]
    Odd {
        /// The server.
        host: String,
        /// What is odd.
        what: String,
    },
}

impl RemoteError {
    /// What an answer that is none means.
    pub(super) fn of(address: &Address, verb: &str, file: &str, reply: &Reply) -> RemoteError {
        let (host, what) = (host(address), format!("{verb} {file}"));
        let said = said(address, reply);
        match reply.status {
            // Where it leads to, nothing is sent: it stays so until somebody says another region, or address.
            300..=399 | 401 | 403 => RemoteError::Refused { host, what, said },
            404 => RemoteError::Missing(file.to_owned()),
            _ => RemoteError::Answer { host, what, said },
        }
    }

    /// Whether it says that bytes are gone: everything else says nothing about what is there.
    pub fn is_damage(&self) -> bool {
        matches!(self, RemoteError::Missing(_) | RemoteError::Short(_))
    }

    /// Whether it may be done later without anybody changing anything.
    pub fn may_pass(&self) -> bool {
        match self {
            RemoteError::Unreachable { .. } | RemoteError::Slow { .. } | RemoteError::Answer { .. } => true,
            RemoteError::NotBuilt(_)
            | RemoteError::NoServer
            | RemoteError::NoCredentials(_)
            | RemoteError::Unusable(_)
            | RemoteError::Refused { .. }
            | RemoteError::Missing(_)
            | RemoteError::Short(_)
            | RemoteError::Taken(_)
            | RemoteError::NoPlace(_)
            | RemoteError::Odd { .. } => false,
        }
    }
}

/// The server, as it is named to a person.
pub(super) fn host(address: &Address) -> String {
    let url = match address {
        Address::Folder(_) => return "this machine".to_owned(),
        Address::Rest { url } => url,
        Address::S3 { endpoint, .. } => endpoint,
    };
    let rest = url.split_once("://").map_or(url.as_str(), |(_, rest)| rest);
    rest.split('/').next().unwrap_or(rest).to_owned()
}

/// The status, and the code that servers of S3 put into their answer, or what it means as a rule if there are no words, as
/// with every answer to HEAD; nothing that a terminal obeys.
fn said(address: &Address, reply: &Reply) -> String {
    let text = String::from_utf8_lossy(&reply.body);
    let code = text
        .split_once("<Code>")
        .and_then(|(_, rest)| rest.split_once("</Code>"))
        .map(|(code, _)| code);
    // Of a page of HTML nothing is repeated; of a sentence it is.
    let sentence = match code {
        Some(code) => code,
        None if text.contains('<') => "",
        None => text.trim(),
    };
    let plain: String = sentence
        .chars()
        .filter(|c| !c.is_control())
        .take(SAID_CHARS_MAX)
        .collect();
    let status = reply.status;
    match (plain.is_empty(), usual(address, reply)) {
        (false, _) => format!("{status} {plain}"),
        (true, Some(usual)) => format!("{status}, {usual}"),
        (true, None) => status.to_string(),
    }
}

/// What a status means as a rule.
fn usual(address: &Address, reply: &Reply) -> Option<String> {
    let usual = match (address, reply.status) {
        (Address::S3 { .. }, 301 | 307 | 308) => match &reply.region {
            Some(region) => {
                let plain = region.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-');
                let region: String = plain.take(REGION_CHARS_MAX).collect();
                return Some(format!(
                    "since the bucket is in the region {region}: AWS_DEFAULT_REGION={region}"
                ));
            }
            None => "as a rule since the bucket is in another region: AWS_DEFAULT_REGION names it",
        },
        (Address::S3 { .. }, 400) => {
            "as a rule for another region than AWS_DEFAULT_REGION names, a token that is over, or a clock that is wrong"
        }
        (Address::S3 { .. }, 403) => {
            "as a rule for a key that is not known there, or since the policy of the bucket forbids it"
        }
        (Address::Rest { .. }, 401) => {
            "as a rule for a wrong user name or password, or a path that is another user's"
        }
        _ => return None,
    };
    Some(usual.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_said_in_one_line_and_tells_what_it_means() {
        let s3 = Address::parse("s3:https://store.example:9000/b/p").unwrap();
        let rest = Address::parse("rest:https://store.example:9000/p").unwrap();
        let told = |address: &Address, status, body: &str, region: Option<&str>| {
            let reply = Reply {
                status,
                body: body.to_owned().into(),
                region: region.map(str::to_owned),
                ..Reply::default()
            };
            RemoteError::of(address, "read", "config", &reply).to_string()
        };
        let check = |status, body: &str, expect: &str| assert_eq!(told(&s3, status, body, None), expect);
        check(
            403,
            "<?xml?><Error><Code>SignatureDoesNotMatch</Code></Error>",
            "store.example:9000 does not let us read config: it answers 403 SignatureDoesNotMatch",
        );
        check(
            401,
            "no\x1b[m\n",
            "store.example:9000 does not let us read config: it answers 401 no[m",
        );
        check(404, "", "config is not there");
        check(
            503,
            "<html>busy</html>",
            "store.example:9000 does not read config: it answers 503",
        );
        // What has no words, as an answer to HEAD.
        check(
            403,
            "",
            "store.example:9000 does not let us read config: it answers 403, as a rule for a key that is not known there, \
             or since the policy of the bucket forbids it",
        );
        check(
            301,
            "",
            "store.example:9000 does not let us read config: it answers 301, as a rule since the bucket is in another \
             region: AWS_DEFAULT_REGION names it",
        );
        assert_eq!(
            told(&s3, 301, "", Some("eu-west-1\x1b[m")),
            "store.example:9000 does not let us read config: it answers 301, since the bucket is in the region eu-west-1m: \
             AWS_DEFAULT_REGION=eu-west-1m"
        );
        assert_eq!(
            told(&rest, 401, "", None),
            "store.example:9000 does not let us read config: it answers 401, as a rule for a wrong user name or password, \
             or a path that is another user's"
        );
        assert!(told(&s3, 400, "", None).contains("a clock that is wrong"));
    }
}
