-- Imports of a domain, for the list.
-- in:  domain_uuid uuid
-- out: the columns of an import
-- index: pbxapi.import (domain_uuid, created_at)
select i.import_uuid, i.resource, i.state, i.dry_run::text as dry_run, i.lines, i.created, i.refused,
       coalesce(i.error, '') as error,
       to_char(i.created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as created_at,
       coalesce(to_char(i.finished_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'), '') as finished_at,
       i.created_at as begun_at
  from pbxapi.import as i
 where i.domain_uuid = %(domain_uuid)s
