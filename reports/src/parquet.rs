//! Rows of a sweep as Apache Parquet, behind the feature `parquet`.

use std::io;
use std::sync::Arc;

use ::parquet::basic::{LogicalType, Repetition, Type as Physical};
use ::parquet::data_type::{ByteArray, ByteArrayType, DoubleType, Int64Type};
use ::parquet::errors::ParquetError;
use ::parquet::file::properties::WriterProperties;
use ::parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use ::parquet::schema::types::{Type, TypePtr};

use crate::sweep::{Cell, Column, ColumnKind, RowWriter};

/// Rows that are kept until they are written as columns.
const GROUP: usize = 4096;

/// A Parquet file in the making: text as UTF-8 strings, counts as 64-bit integers, numbers as doubles, all optional.
pub struct ParquetRows<W: io::Write + Send> {
    kinds: Vec<ColumnKind>,
    rows: Vec<Vec<Cell>>,
    out: SerializedFileWriter<W>,
}

impl<W: io::Write + Send> ParquetRows<W> {
    /// Begins a file with these columns.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn begin(columns: &[Column], out: W) -> io::Result<Self> {
        let fields = columns
            .iter()
            .map(field)
            .collect::<Result<Vec<TypePtr>, _>>();
        let schema = fields.and_then(|fields| {
            Type::group_type_builder("sweep")
                .with_fields(fields)
                .build()
        });
        let schema = schema.map_err(io::Error::other)?;
        let properties = WriterProperties::builder()
            .set_created_by(format!("meshquake {}", env!("CARGO_PKG_VERSION")))
            .build();
        let out = SerializedFileWriter::new(out, Arc::new(schema), Arc::new(properties));
        Ok(Self {
            kinds: columns.iter().map(|column| column.kind).collect(),
            rows: Vec::new(),
            out: out.map_err(io::Error::other)?,
        })
    }

    fn write_group(&mut self) -> Result<(), ParquetError> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let mut group = self.out.next_row_group()?;
        let mut index = 0;
        while let Some(mut column) = group.next_column()? {
            let cells: Vec<&Cell> = self.rows.iter().filter_map(|row| row.get(index)).collect();
            write_column(&mut column, self.kinds[index], &cells)?;
            column.close()?;
            index += 1;
        }
        group.close()?;
        self.rows.clear();
        Ok(())
    }
}

impl<W: io::Write + Send> RowWriter for ParquetRows<W> {
    fn row(&mut self, cells: &[Cell]) -> io::Result<()> {
        self.rows.push(cells.to_vec());
        match self.rows.len() {
            GROUP.. => self.write_group().map_err(io::Error::other),
            _ => Ok(()),
        }
    }

    fn finish(mut self: Box<Self>) -> io::Result<()> {
        self.write_group().map_err(io::Error::other)?;
        self.out.close().map_err(io::Error::other)?;
        Ok(())
    }
}

fn field(column: &Column) -> Result<TypePtr, ParquetError> {
    let (physical, logical) = match column.kind {
        ColumnKind::Text => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
        ColumnKind::Count => (Physical::INT64, None),
        ColumnKind::Number => (Physical::DOUBLE, None),
    };
    let field = Type::primitive_type_builder(&column.name, physical)
        .with_repetition(Repetition::OPTIONAL)
        .with_logical_type(logical)
        .build()?;
    Ok(Arc::new(field))
}

/// Writes the cells of a column: what there is of them, and where there is none.
fn write_column(
    column: &mut SerializedColumnWriter<'_>,
    kind: ColumnKind,
    cells: &[&Cell],
) -> Result<(), ParquetError> {
    let mut levels = Vec::with_capacity(cells.len());
    let mut present = |is: bool| levels.push(i16::from(is));
    match kind {
        ColumnKind::Text => {
            let mut values = Vec::new();
            for cell in cells {
                present(**cell != Cell::Empty);
                if **cell != Cell::Empty {
                    values.push(ByteArray::from(cell.text().into_bytes()));
                }
            }
            column
                .typed::<ByteArrayType>()
                .write_batch(&values, Some(&levels), None)?;
        }
        ColumnKind::Count => {
            let mut values = Vec::new();
            for cell in cells {
                let count = match cell {
                    Cell::Count(n) => i64::try_from(*n).ok(),
                    _ => None,
                };
                present(count.is_some());
                values.extend(count);
            }
            column
                .typed::<Int64Type>()
                .write_batch(&values, Some(&levels), None)?;
        }
        ColumnKind::Number => {
            let mut values = Vec::new();
            for cell in cells {
                present(cell.number().is_some());
                values.extend(cell.number());
            }
            column
                .typed::<DoubleType>()
                .write_batch(&values, Some(&levels), None)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ::parquet::file::reader::{FileReader as _, SerializedFileReader};
    use ::parquet::record::RowAccessor as _;

    #[test]
    fn rows_come_back() {
        let column = |name: &str, kind| Column {
            name: name.into(),
            kind,
        };
        let columns = [
            column("rate", ColumnKind::Text),
            column("seed", ColumnKind::Count),
            column("p99_ms", ColumnKind::Number),
        ];
        let mut bytes = Vec::new();
        let mut rows = Box::new(ParquetRows::begin(&columns, &mut bytes).unwrap());
        let count = GROUP as u64 + 7;
        for row in 0..count {
            let p99 = if row == 3 {
                Cell::Empty
            } else {
                Cell::Number(row as f64 / 4.0)
            };
            rows.row(&[Cell::Text(format!("{row}/s")), Cell::Count(row), p99])
                .unwrap();
        }
        rows.finish().unwrap();
        let reader = SerializedFileReader::new(bytes::Bytes::from(bytes)).unwrap();
        assert_eq!(reader.num_row_groups(), 2);
        let read: Vec<_> = reader
            .get_row_iter(None)
            .unwrap()
            .map(Result::unwrap)
            .collect();
        assert_eq!(read.len() as u64, count);
        assert_eq!(read[5].get_string(0).unwrap(), "5/s");
        assert_eq!(read[5].get_long(1).unwrap(), 5);
        assert_eq!(read[5].get_double(2).unwrap(), 1.25);
        assert!(read[3].get_double(2).is_err(), "there was nothing");
    }
}
