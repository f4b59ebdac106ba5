-- The attempts at a callback, for the list.
-- in:  domain_uuid uuid, callback_uuid uuid
-- out: the columns of an attempt; at for the order
select attempt_uuid,
       outcome,
       to_char(noted_at, 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as noted_at,
       noted_at as at
  from plugin_callbacks.attempt
 where domain_uuid = %(domain_uuid)s and callback_uuid = %(callback_uuid)s
