//! How a call of a plugin ended: the code of gRPC, and where the answer says how it went, that.
//!
//! An answer that went over well may still say no. All answers that have a [`ResultCode`] begin with it, so that it is
//! read from the first bytes of what is sent, whichever service has made it.

use bytes::Bytes;
use http::HeaderMap;
use http_body_util::BodyExt as _;
use outboard_proto::host::v1::ResultCode;
use tonic::body::Body;
use tonic::{Code, Status};

/// gRPC has as many codes.
pub(super) const CODES: usize = NAMES.len();
/// `ResultCode` has as many values.
pub(super) const RESULTS: usize = ResultCode::Conflict as usize + 1;
/// How the names of all results begin in the proto.
const RESULT: &str = "RESULT_CODE_";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// Whatever its answer says: that has no result.
    Coded(Code),
    /// It went over well, with this result.
    Answered(ResultCode),
}

impl Ending {
    /// From 0 up to [`CODES`] + [`RESULTS`].
    pub(super) fn number(self) -> usize {
        // Neither has a negative value.
        let number = |value: i32| usize::try_from(value).unwrap_or(0);
        match self {
            Self::Coded(code) => number(code.into()),
            Self::Answered(result) => CODES + number(result.into()),
        }
    }

    /// The one of this number.
    pub(super) fn numbered(number: usize) -> Self {
        let value = |number: usize| i32::try_from(number).unwrap_or_default();
        match number.checked_sub(CODES) {
            None => Self::Coded(Code::from(value(number))),
            Some(result) => Self::Answered(ResultCode::try_from(value(result)).unwrap_or_default()),
        }
    }

    /// The name of the code, as it is written in all languages but Go's and ours.
    pub(super) fn code(self) -> &'static str {
        match self {
            Self::Coded(_) => NAMES[self.number()],
            Self::Answered(_) => NAMES[0],
        }
    }

    /// The name of the result; empty where there is none.
    pub(super) fn result(self) -> &'static str {
        match self {
            Self::Coded(_) => "",
            Self::Answered(result) => {
                let name = result.as_str_name();
                name.strip_prefix(RESULT).unwrap_or(name)
            }
        }
    }

    pub(super) fn is_denied(self) -> bool {
        self == Self::Coded(Code::PermissionDenied)
    }
}

/// A call that is refused has its code in its head; one that is answered has it behind the answer.
pub(super) fn code(headers: &HeaderMap) -> Code {
    headers.get(Status::GRPC_STATUS).map_or(Code::Ok, |code| Code::from_bytes(code.as_bytes()))
}

/// The same body, which tells how the call ended as soon as its answer goes out. If nobody takes the answer, only that it
/// was made is known.
pub(super) fn heard(body: Body, tell: impl FnOnce(Ending) + Send + 'static) -> Body {
    let mut telling = Telling(Some(tell));
    Body::new(body.map_frame(move |frame| {
        if let Some(data) = frame.data_ref() {
            telling.tell(read(data));
        }
        frame
    }))
}

/// Tells once, at the latest when it is dropped.
struct Telling<T: FnOnce(Ending)>(Option<T>);

impl<T: FnOnce(Ending)> Telling<T> {
    fn tell(&mut self, ending: Ending) {
        if let Some(tell) = self.0.take() {
            tell(ending);
        }
    }
}

impl<T: FnOnce(Ending)> Drop for Telling<T> {
    fn drop(&mut self) {
        self.tell(Ending::Coded(Code::Ok));
    }
}

/// What a message that begins with a result has there: a byte that says that it is not compressed, four of its length, the
/// tag of its first field, and that field.
fn read(data: &Bytes) -> Ending {
    const TAG: u8 = 1 << 3;
    match **data {
        [0, _, _, _, _, TAG, value, ..] => {
            let result = ResultCode::try_from(i32::from(value));
            result.map_or(Ending::Coded(Code::Ok), Ending::Answered)
        }
        _ => Ending::Coded(Code::Ok),
    }
}

const NAMES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use outboard_proto::host::v1::{GetUserResponse, User};

    use super::*;

    /// As it goes over the wire.
    fn sent(message: &impl prost::Message) -> Bytes {
        let message = message.encode_to_vec();
        let mut sent = vec![0];
        sent.extend(u32::try_from(message.len()).unwrap().to_be_bytes());
        sent.extend(message);
        sent.into()
    }

    fn got(result: ResultCode) -> Bytes {
        sent(&GetUserResponse { result: result.into(), user: Some(User::default()) })
    }

    #[test]
    fn each_ending_has_its_number_and_names() {
        for number in 0..CODES + RESULTS {
            assert_eq!(Ending::numbered(number).number(), number);
        }
        let names = |ending: Ending| (ending.code(), ending.result());
        assert_eq!(names(Ending::Coded(Code::Ok)), ("OK", ""));
        assert_eq!(names(Ending::Coded(Code::Unauthenticated)), ("UNAUTHENTICATED", ""));
        assert_eq!(names(Ending::Answered(ResultCode::Ok)), ("OK", "OK"));
        assert_eq!(names(Ending::Answered(ResultCode::ReadOnly)), ("OK", "READ_ONLY"));
        assert_eq!(
            ResultCode::try_from(i32::try_from(RESULTS).unwrap()),
            Err(prost::UnknownEnumValue(8))
        );
    }

    #[test]
    fn a_result_is_read_from_the_first_bytes() {
        for result in [ResultCode::Ok, ResultCode::NotFound, ResultCode::Conflict] {
            assert_eq!(read(&got(result)), Ending::Answered(result));
        }
        for data in [&b""[..], b"\0\0\0\0\0", b"\0\0\0\0\x02\x08\x63", b"\x01\0\0\0\x02\x08\x01"] {
            assert_eq!(read(&Bytes::from_static(data)), Ending::Coded(Code::Ok), "{data:?}");
        }
    }

    #[tokio::test]
    async fn an_ending_is_told_once_and_the_answer_is_left_as_it_is() {
        let told = Arc::new(Mutex::new(Vec::new()));
        let hear = |body: Body| {
            let told = told.clone();
            heard(body, move |ending| told.lock().unwrap().push(ending))
        };
        let data = got(ResultCode::NotFound);
        let body = hear(Body::new(http_body_util::Full::new(data.clone())));
        assert_eq!(body.collect().await.unwrap().to_bytes(), data);
        drop(hear(Body::empty()));
        let told = told.lock().unwrap().clone();
        assert_eq!(told, [Ending::Answered(ResultCode::NotFound), Ending::Coded(Code::Ok)]);
    }
}
