-- What became of the lines of an import.
-- in:  domain_uuid uuid, import_uuid uuid
-- out: the columns of a line
-- index: pbxapi.import_line (import_uuid, line)
select l.line_uuid, l.line, l.status, coalesce(l.record_uuid::text, '') as record_uuid,
       coalesce(l.field, '') as field, coalesce(l.code, '') as code, coalesce(l.message, '') as message
  from pbxapi.import as i
  join pbxapi.import_line as l using (import_uuid)
 where i.domain_uuid = %(domain_uuid)s and i.import_uuid = %(import_uuid)s
