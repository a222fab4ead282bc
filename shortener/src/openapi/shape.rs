//! What a value looks like: a JSON Schema, of a Rust type or spelled out.

use schemars::{JsonSchema, Schema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};

/// A schema, or how to make it.
#[derive(Clone, Debug)]
pub enum Shape {
    Of(fn(&mut SchemaGenerator) -> Schema),
    Written(Schema),
}

/// The shape of a Rust type.
pub fn of<T: JsonSchema>() -> Shape {
    Shape::Of(SchemaGenerator::subschema_for::<T>)
}

impl From<Schema> for Shape {
    fn from(schema: Schema) -> Self {
        Self::Written(schema)
    }
}

/// Says what the values of a type look like, where that is more than its fields tell.
macro_rules! value_schema {
    ($type:ty, $($schema:tt)+) => {
        impl schemars::JsonSchema for $type {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!($($schema)+)
            }
        }
    };
}
pub(crate) use value_schema;

/// Makes schemas, and collects those that others refer to.
pub(super) struct Schemas(SchemaGenerator);

impl Schemas {
    pub(super) fn new() -> Self {
        let mut settings = SchemaSettings::draft2020_12().for_serialize();
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
        Self(settings.into_generator())
    }

    pub(super) fn make(&mut self, shape: &Shape) -> Value {
        match shape {
            Shape::Of(make) => make(&mut self.0).to_value(),
            Shape::Written(schema) => schema.clone().to_value(),
        }
    }

    /// Adds a schema that no Rust type has, and returns what refers to it.
    pub(super) fn add(&mut self, name: &str, schema: Value) -> Value {
        self.0.definitions_mut().insert(name.to_owned(), schema);
        json!({"$ref": format!("#/components/schemas/{name}")})
    }

    pub(super) fn into_definitions(mut self) -> Map<String, Value> {
        self.0.take_definitions(true)
    }
}

/// The same schema, with null allowed.
pub(super) fn or_null(schema: Value) -> Value {
    let mut schema = schema;
    match schema.get("type").cloned() {
        Some(Value::String(name)) => {
            schema["type"] = json!([name, "null"]);
            if let Some(values) = schema.get_mut("enum").and_then(Value::as_array_mut) {
                values.push(Value::Null);
            }
            schema
        }
        _ => json!({"anyOf": [schema, {"type": "null"}]}),
    }
}
