-- The options of an IVR menu, in one statement.
-- in:  domain_uuid uuid, ivr_menu_uuid uuid, rows jsonb: a list of objects, keys as the columns, texts or null
insert into v_ivr_menu_options (
  ivr_menu_option_uuid,
  ivr_menu_option_digits,
  ivr_menu_option_action,
  ivr_menu_option_param,
  ivr_menu_option_order,
  ivr_menu_option_description,
  ivr_menu_option_enabled,
  ivr_menu_uuid,
  domain_uuid,
  insert_date
)
select r.ivr_menu_option_uuid,
       r.ivr_menu_option_digits,
       r.ivr_menu_option_action,
       r.ivr_menu_option_param,
       r.ivr_menu_option_order,
       r.ivr_menu_option_description,
       r.ivr_menu_option_enabled,
       %(ivr_menu_uuid)s,
       %(domain_uuid)s,
       now()
  from jsonb_populate_recordset(null::v_ivr_menu_options, %(rows)s::jsonb) as r
