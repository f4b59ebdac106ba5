-- A dialplan goes; its details go before it.
-- in:  domain_uuid uuid, dialplan_uuid uuid
delete from v_dialplans where domain_uuid = %(domain_uuid)s and dialplan_uuid = %(dialplan_uuid)s
