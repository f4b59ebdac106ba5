-- A new box.
-- in:  domain_uuid uuid, voicemail_uuid uuid, the columns as text
insert into v_voicemails (
  voicemail_uuid,
  domain_uuid,
  voicemail_id,
  voicemail_password,
  greeting_id,
  voicemail_alternate_greet_id,
  voicemail_mail_to,
  voicemail_sms_to,  --? v_voicemails.voicemail_sms_to
  voicemail_attach_file,
  voicemail_file,
  voicemail_tutorial,
  voicemail_recording_instructions,  --? v_voicemails.voicemail_recording_instructions
  voicemail_recording_options,  --? v_voicemails.voicemail_recording_options
  voicemail_transcription_enabled,
  voicemail_transcription_prompt_enabled,  --? v_voicemails.voicemail_transcription_prompt_enabled
  voicemail_transcription_prompt,  --? v_voicemails.voicemail_transcription_prompt
  voicemail_local_after_email,
  voicemail_local_after_forward,  --? v_voicemails.voicemail_local_after_forward
  alternate_voicemail_destination,  --? v_voicemails.alternate_voicemail_destination
  alternate_voicemail_enabled,  --? v_voicemails.alternate_voicemail_enabled
  voicemail_enabled,
  voicemail_description,
  insert_date
) values (
  %(voicemail_uuid)s,
  %(domain_uuid)s,
  %(voicemail_id)s,
  %(voicemail_password)s,
  %(greeting_id)s,
  %(voicemail_alternate_greet_id)s,
  %(voicemail_mail_to)s,
  %(voicemail_sms_to)s,  --? v_voicemails.voicemail_sms_to
  %(voicemail_attach_file)s,
  %(voicemail_file)s,
  %(voicemail_tutorial)s,
  %(voicemail_recording_instructions)s,  --? v_voicemails.voicemail_recording_instructions
  %(voicemail_recording_options)s,  --? v_voicemails.voicemail_recording_options
  %(voicemail_transcription_enabled)s,
  %(voicemail_transcription_prompt_enabled)s,  --? v_voicemails.voicemail_transcription_prompt_enabled
  %(voicemail_transcription_prompt)s,  --? v_voicemails.voicemail_transcription_prompt
  %(voicemail_local_after_email)s,
  %(voicemail_local_after_forward)s,  --? v_voicemails.voicemail_local_after_forward
  %(alternate_voicemail_destination)s,  --? v_voicemails.alternate_voicemail_destination
  %(alternate_voicemail_enabled)s,  --? v_voicemails.alternate_voicemail_enabled
  %(voicemail_enabled)s,
  %(voicemail_description)s,
  now()
)
