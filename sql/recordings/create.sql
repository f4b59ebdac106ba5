-- A new recording; its content follows.
-- in:  domain_uuid uuid, recording_uuid uuid, the columns as text
insert into v_recordings (
  recording_uuid,
  domain_uuid,
  recording_filename,
  recording_name,
  recording_voice,  --? v_recordings.recording_voice
  recording_message,  --? v_recordings.recording_message
  recording_description,
  insert_date
) values (
  %(recording_uuid)s,
  %(domain_uuid)s,
  %(recording_filename)s,
  %(recording_name)s,
  %(recording_voice)s,  --? v_recordings.recording_voice
  %(recording_message)s,  --? v_recordings.recording_message
  %(recording_description)s,
  now()
)
