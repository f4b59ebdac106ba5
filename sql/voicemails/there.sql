-- Which of some numbers have a box.
-- in:  domain_uuid uuid, numbers text[]
-- out: voicemail_id text; one row for each box
-- index: v_voicemails (domain_uuid, voicemail_id), recommended by doctor; looked into for each number by itself, or a
--        plan that was made for a domain of ordinary size would go through all boxes of a large one
select v.voicemail_id
  from unnest((select %(numbers)s::text[])) as asked (number)
 cross join lateral (
         select b.voicemail_id from v_voicemails as b
          where b.domain_uuid = %(domain_uuid)s and b.voicemail_id = asked.number
         offset 0
       ) as v
