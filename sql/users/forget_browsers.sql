-- No browser is remembered any more: FusionPBX keeps its remember-me tokens in the log of logins.
-- in:  domain_uuid uuid, user_uuid uuid
update v_user_logs
   set
       remember_selector = null,  --? v_user_logs.remember_selector
       remember_validator = null,  --? v_user_logs.remember_validator
       update_date = now()
 where user_uuid = %(user_uuid)s
   and user_uuid in (select user_uuid from v_users where domain_uuid = %(domain_uuid)s)
