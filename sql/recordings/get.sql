-- One recording, without its content.
-- in:  domain_uuid uuid, recording_uuid uuid
-- out: its columns as text; whether the database holds the file as "true"/"false"
-- index: primary key
select r.recording_uuid,
       coalesce(r.recording_filename, '') as recording_filename,
       coalesce(r.recording_name, '') as recording_name,
       coalesce(r.recording_voice, '') as recording_voice,  --? v_recordings.recording_voice
       coalesce(r.recording_message, '') as recording_message,  --? v_recordings.recording_message
       coalesce(r.recording_description, '') as recording_description,
       (coalesce(r.recording_base64, '') <> '')::text as recording_stored
  from v_recordings as r
 where r.domain_uuid = %(domain_uuid)s and r.recording_uuid = %(recording_uuid)s
