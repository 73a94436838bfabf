DROP VIEW IF EXISTS v1; DROP VIEW IF EXISTS v2;
DROP TABLE IF EXISTS sales; DROP TABLE IF EXISTS products; DROP TABLE IF EXISTS regions; DROP TABLE IF EXISTS odd;
DROP TABLE IF EXISTS t1; DROP TABLE IF EXISTS t2; DROP TABLE IF EXISTS t3;
CREATE TABLE sales (id int, product int, region text, qty int, price numeric(10,2), score double precision, day date, at timestamp, paid boolean, note text, doc jsonb);
CREATE TABLE products (id bigint, name text, kind varchar(20), cost numeric, tags text[]);
CREATE TABLE regions (code text, name text, parent text);
CREATE TABLE odd (id int, i2 smallint, i4 int, i8 bigint, f8 float8, f4 real, n numeric, s text, d date, ts timestamp, b bool);
