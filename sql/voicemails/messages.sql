-- Messages of a box that are not on their way out.
-- in:  domain_uuid uuid, voicemail_uuid uuid, status text or null (read, unread)
-- out: the columns of a message, message_status as new, read or what FusionPBX stored
-- index: v_voicemail_messages (voicemail_uuid)
select m.voicemail_message_uuid, coalesce(m.created_epoch, 0)::bigint as created_epoch,
       coalesce(m.caller_id_name, '') as caller_id_name, coalesce(m.caller_id_number, '') as caller_id_number,
       coalesce(m.message_length, 0)::bigint as message_length,
       case coalesce(m.message_status, '') when '' then 'new' when 'saved' then 'read'
            else m.message_status end as message_status,
       coalesce(nullif(m.message_priority, ''), 'normal') as message_priority
  from v_voicemail_messages as m
 where m.domain_uuid = %(domain_uuid)s and m.voicemail_uuid = %(voicemail_uuid)s
   and coalesce(m.message_status, '') <> 'deleted'
   and (coalesce(%(status)s::text, '') = '' or (%(status)s = 'unread') = (coalesce(m.message_status, '') = ''))
