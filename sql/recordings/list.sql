-- Recordings of a domain, for the list.
-- in:  domain_uuid uuid
-- out: the columns of a list row; whether the database holds the file as "true"/"false"
-- index: v_recordings (domain_uuid)
select r.recording_uuid,
       coalesce(r.recording_filename, '') as recording_filename,
       coalesce(r.recording_name, '') as recording_name,
       coalesce(r.recording_description, '') as recording_description,
       (coalesce(r.recording_base64, '') <> '')::text as recording_stored
  from v_recordings as r
 where r.domain_uuid = %(domain_uuid)s
