-- What came of an attempt.
-- in:  delivery_uuid uuid, state text, status integer, latency integer, response text, error text,
--      delay double precision (seconds until the next attempt)
-- index: primary key
update pbxapi.webhook_delivery
   set state = %(state)s,
       attempts = attempts + 1,
       status = %(status)s::integer,
       latency = %(latency)s::integer,
       response = %(response)s,
       error = %(error)s,
       due_at = clock_timestamp() + make_interval(secs => %(delay)s::double precision),
       last_attempt_at = clock_timestamp()
 where delivery_uuid = %(delivery_uuid)s
