"""The field's own formats, live: LTI Advantage AGS, xAPI, CloudEvents; read strictly and turned into Palio's submissions."""
