//! A collector of traces: takes what is posted to it by OTLP over HTTP.
//!
//! The messages are written down here once more, from the standard (`opentelemetry/proto/trace/v1/trace.proto`, 1.x), and not
//! taken from the service: a wrong number there must not be right here.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use prost::Message;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
};

#[derive(Clone, PartialEq, Message)]
pub struct ExportTraceServiceRequest {
    #[prost(message, repeated, tag = "1")]
    pub resource_spans: Vec<ResourceSpans>,
}

#[derive(Clone, PartialEq, Message)]
pub struct ResourceSpans {
    #[prost(message, optional, tag = "1")]
    pub resource: Option<Resource>,
    #[prost(message, repeated, tag = "2")]
    pub scope_spans: Vec<ScopeSpans>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Resource {
    #[prost(message, repeated, tag = "1")]
    pub attributes: Vec<KeyValue>,
}

#[derive(Clone, PartialEq, Message)]
pub struct ScopeSpans {
    #[prost(message, repeated, tag = "2")]
    pub spans: Vec<Span>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Span {
    #[prost(bytes = "vec", tag = "1")]
    pub trace_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    pub span_id: Vec<u8>,
    #[prost(string, tag = "3")]
    pub trace_state: String,
    #[prost(bytes = "vec", tag = "4")]
    pub parent_span_id: Vec<u8>,
    #[prost(string, tag = "5")]
    pub name: String,
    #[prost(int32, tag = "6")]
    pub kind: i32,
    #[prost(fixed64, tag = "7")]
    pub start_time_unix_nano: u64,
    #[prost(fixed64, tag = "8")]
    pub end_time_unix_nano: u64,
    #[prost(message, repeated, tag = "9")]
    pub attributes: Vec<KeyValue>,
    #[prost(message, optional, tag = "15")]
    pub status: Option<Status>,
    #[prost(fixed32, tag = "16")]
    pub flags: u32,
}

/// Kinds of spans.
pub const SERVER: i32 = 2;
pub const CLIENT: i32 = 3;

#[derive(Clone, PartialEq, Message)]
pub struct Status {
    #[prost(int32, tag = "3")]
    pub code: i32,
}

/// A status of spans.
pub const ERROR: i32 = 2;

#[derive(Clone, PartialEq, Message)]
pub struct KeyValue {
    #[prost(string, tag = "1")]
    pub key: String,
    #[prost(message, optional, tag = "2")]
    pub value: Option<AnyValue>,
}

#[derive(Clone, PartialEq, Message)]
pub struct AnyValue {
    #[prost(oneof = "Value", tags = "1, 3")]
    pub value: Option<Value>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub enum Value {
    #[prost(string, tag = "1")]
    String(String),
    #[prost(int64, tag = "3")]
    Int(i64),
}

/// How it takes what comes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Manner {
    /// Answers 200.
    Takes,
    /// Answers 400, which says that another try is of no use.
    Refuses,
    /// Answers nothing, ever.
    IsSilent,
}

/// Listens for as long as the test's runtime lives.
#[derive(Debug)]
pub struct Collector {
    addr: SocketAddr,
    taken: Arc<Mutex<Taken>>,
}

#[derive(Debug)]
struct Taken {
    manner: Manner,
    posts: Vec<Post>,
}

/// One request, as it came.
#[derive(Clone, Debug)]
pub struct Post {
    pub path: String,
    /// By their names in small letters.
    pub headers: BTreeMap<String, String>,
    pub body: ExportTraceServiceRequest,
}

impl Post {
    /// What the sender says of itself.
    pub fn resource(&self) -> BTreeMap<String, String> {
        let spans = self.body.resource_spans.iter();
        let resources = spans.filter_map(|spans| spans.resource.as_ref());
        resources.flat_map(|it| texts(&it.attributes)).collect()
    }
}

impl Collector {
    pub async fn listen(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("the address is free");
        let addr = listener.local_addr().expect("the listener is bound");
        let posts = Vec::new();
        let taken = Arc::new(Mutex::new(Taken { manner, posts }));
        spawn(accept(listener, Arc::clone(&taken)));
        Self { addr, taken }
    }

    /// What `OTEL_EXPORTER_OTLP_ENDPOINT` is to be.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.addr)
    }

    pub fn posts(&self) -> Vec<Post> {
        self.lock().posts.clone()
    }

    /// Every span so far, in the order in which they came.
    pub fn spans(&self) -> Vec<Span> {
        let posts = self.posts().into_iter();
        posts
            .flat_map(|post| post.body.resource_spans)
            .flat_map(|resource| resource.scope_spans)
            .flat_map(|scope| scope.spans)
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The attributes, numbers as texts.
pub fn texts(attributes: &[KeyValue]) -> BTreeMap<String, String> {
    let text = |attribute: &KeyValue| {
        let value = attribute.value.clone()?.value?;
        let text = match value {
            Value::String(text) => text,
            Value::Int(number) => number.to_string(),
        };
        Some((attribute.key.clone(), text))
    };
    attributes.iter().filter_map(text).collect()
}

/// The digits of an id.
pub fn hex(id: &[u8]) -> String {
    id.iter()
        .fold(String::new(), |digits, byte| format!("{digits}{byte:02x}"))
}

async fn accept(listener: TcpListener, taken: Arc<Mutex<Taken>>) {
    while let Ok((stream, _)) = listener.accept().await {
        spawn(serve(stream, Arc::clone(&taken)));
    }
}

async fn serve(stream: TcpStream, taken: Arc<Mutex<Taken>>) {
    let mut stream = BufReader::new(stream);
    while let Some(post) = read(&mut stream).await {
        let manner = {
            let mut taken = taken.lock().unwrap_or_else(PoisonError::into_inner);
            taken.posts.push(post);
            taken.manner
        };
        let status = match manner {
            Manner::Takes => "200 OK",
            Manner::Refuses => "400 Bad Request",
            Manner::IsSilent => std::future::pending().await,
        };
        let answer = format!(
            "HTTP/1.1 {status}\r\nContent-Type: application/x-protobuf\r\nContent-Length: 0\r\n\r\n"
        );
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

async fn read(stream: &mut BufReader<TcpStream>) -> Option<Post> {
    let mut line = String::new();
    stream.read_line(&mut line).await.ok()?;
    let path = line.split(' ').nth(1)?.to_owned();
    let mut headers = BTreeMap::new();
    loop {
        line.clear();
        stream.read_line(&mut line).await.ok()?;
        let Some((name, value)) = line.split_once(':') else {
            break;
        };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length")?.parse().ok()?;
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    let body = ExportTraceServiceRequest::decode(&*body).expect("it is what OTLP says");
    Some(Post {
        path,
        headers,
        body,
    })
}

#[expect(
    clippy::disallowed_methods,
    reason = "the task ends with the test's runtime"
)]
fn spawn(task: impl Future<Output = ()> + Send + 'static) {
    tokio::spawn(task);
}
