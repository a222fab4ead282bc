//! What an operation is sent.

use serde_json::{Map, Value, json};

use super::shape::{Schemas, Shape, or_null};

/// A request's body: a JSON object with these fields, or a form with a file. Other fields are ignored, and so the schema
/// does not forbid them.
#[derive(Clone, Debug)]
pub struct Body {
    pub(super) media_type: &'static str,
    name: &'static str,
    description: &'static str,
    fields: Vec<Field>,
    needs_one: bool,
    examples: Vec<(&'static str, Value)>,
}

#[derive(Clone, Debug)]
struct Field {
    name: &'static str,
    description: &'static str,
    shape: Shape,
    is_required: bool,
    may_be_null: bool,
}

impl Body {
    /// A JSON object. `name` is what generated clients call its type.
    pub fn json(name: &'static str, description: &'static str) -> Self {
        Self {
            media_type: "application/json",
            name,
            description,
            fields: Vec::new(),
            needs_one: false,
            examples: Vec::new(),
        }
    }

    /// As [`Body::json`], under another media type.
    #[must_use]
    pub fn of_type(mut self, media_type: &'static str) -> Self {
        self.media_type = media_type;
        self
    }

    /// A form whose field `file` is a CSV file.
    pub fn csv_file(name: &'static str, description: &'static str) -> Self {
        let file = schemars::json_schema!({"type": "string", "contentMediaType": "application/octet-stream", "format": "binary"});
        Self::json(name, description)
            .of_type("multipart/form-data")
            .required("file", file, "The CSV file, in UTF-8")
    }

    /// A field that must be there, and is not null.
    #[must_use]
    pub fn required(
        self,
        name: &'static str,
        shape: impl Into<Shape>,
        description: &'static str,
    ) -> Self {
        self.field(name, shape.into(), description, true, false)
    }

    /// A field that may be left out, and is not null.
    #[must_use]
    pub fn given(
        self,
        name: &'static str,
        shape: impl Into<Shape>,
        description: &'static str,
    ) -> Self {
        self.field(name, shape.into(), description, false, false)
    }

    /// A field that may be left out, or null.
    #[must_use]
    pub fn optional(
        self,
        name: &'static str,
        shape: impl Into<Shape>,
        description: &'static str,
    ) -> Self {
        self.field(name, shape.into(), description, false, true)
    }

    /// One field at least must be there.
    #[must_use]
    pub fn needs_one(mut self) -> Self {
        self.needs_one = true;
        self
    }

    #[must_use]
    pub fn example(mut self, name: &'static str, value: Value) -> Self {
        self.examples.push((name, value));
        self
    }

    fn field(
        mut self,
        name: &'static str,
        shape: Shape,
        description: &'static str,
        is_required: bool,
        may_be_null: bool,
    ) -> Self {
        self.fields.push(Field {
            name,
            description,
            shape,
            is_required,
            may_be_null,
        });
        self
    }

    pub(super) fn write(&self, schemas: &mut Schemas) -> Value {
        let mut properties = Map::new();
        for field in &self.fields {
            let mut schema = schemas.make(&field.shape);
            if field.may_be_null {
                schema = or_null(schema);
            }
            schema["description"] = json!(field.description);
            properties.insert(field.name.to_owned(), schema);
        }
        let required = self.fields.iter().filter(|field| field.is_required);
        let required: Vec<_> = required.map(|field| field.name).collect();
        let mut schema = json!({
            "type": "object",
            "description": self.description,
            "properties": properties,
        });
        if !required.is_empty() {
            schema["required"] = json!(required);
        }
        if self.needs_one {
            schema["minProperties"] = json!(1);
        }
        let mut content = json!({"schema": schemas.add(self.name, schema)});
        for (name, value) in &self.examples {
            content["examples"][name] = json!({"value": value});
        }
        json!({"required": true, "content": {self.media_type: content}})
    }
}
