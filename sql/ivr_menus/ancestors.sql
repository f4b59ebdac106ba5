-- A menu and all menus above it, each once, though rows written elsewhere may go round.
-- in:  domain_uuid uuid, ivr_menu_uuid uuid
-- out: ivr_menu_uuid uuid
-- index: primary key
with recursive above as (
  select m.ivr_menu_uuid, m.ivr_menu_parent_uuid
    from v_ivr_menus as m
   where m.domain_uuid = %(domain_uuid)s and m.ivr_menu_uuid = %(ivr_menu_uuid)s
  union
  select m.ivr_menu_uuid, m.ivr_menu_parent_uuid
    from v_ivr_menus as m
    join above as a on a.ivr_menu_parent_uuid = m.ivr_menu_uuid
   where m.domain_uuid = %(domain_uuid)s
)
select ivr_menu_uuid from above
