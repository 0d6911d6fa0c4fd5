FROM localhost/escadre-test/base:v1
ENV ROLE=worker
USER nobody
WORKDIR /srv
