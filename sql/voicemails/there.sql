-- Which of some numbers have a box.
-- in:  domain_uuid uuid, numbers text[]
-- out: voicemail_id text; one row for each box
-- index: v_voicemails (domain_uuid, voicemail_id), recommended by doctor
select v.voicemail_id
  from v_voicemails as v
 where v.domain_uuid = %(domain_uuid)s and v.voicemail_id = any(%(numbers)s)
