-- Whether a recording of a domain has a file name.
-- in:  domain_uuid uuid, filename text
-- out: a row where one has
-- index: v_recordings (domain_uuid)
select 1 as found from v_recordings
 where domain_uuid = %(domain_uuid)s and recording_filename = %(filename)s
 limit 1
