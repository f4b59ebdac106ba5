-- The file of a recording.
-- in:  domain_uuid uuid, recording_uuid uuid
-- out: recording_filename, recording_base64 text; no row where the file is on the switch alone
-- index: primary key
select coalesce(recording_filename, '') as recording_filename, recording_base64
  from v_recordings
 where domain_uuid = %(domain_uuid)s and recording_uuid = %(recording_uuid)s and recording_base64 <> ''
