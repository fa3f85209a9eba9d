/* The least that a compiled program needs to post its input: PORT PATH TOKEN. The answer is printed. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static char body[1 << 20], head[1024], answer[1 << 16];

int main(int count, char **arguments)
{
    size_t length = 0;
    ssize_t got;
    struct sockaddr_in to = {.sin_family = AF_INET};
    int socket_, size;
    char *text;

    if (count != 4)
        return 2;
    while ((got = read(0, body + length, sizeof body - length)) > 0)
        length += (size_t)got;
    size = snprintf(head, sizeof head,
                    "POST %s HTTP/1.1\r\nHost: localhost:%s\r\nContent-Type: application/json\r\n"
                    "Content-Length: %zu\r\nConnection: close\r\nX-Abbado-Hook-Token: %s\r\n\r\n",
                    arguments[2], arguments[1], length, arguments[3]);
    to.sin_port = htons((unsigned short)atoi(arguments[1]));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socket_ = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(socket_, (struct sockaddr *)&to, sizeof to) != 0)
        return 3;
    if (write(socket_, head, (size_t)size) != size || write(socket_, body, length) != (ssize_t)length)
        return 4;
    length = 0;
    while ((got = read(socket_, answer + length, sizeof answer - 1 - length)) > 0)
        length += (size_t)got;
    text = strstr(answer, "\r\n\r\n");
    if (strncmp(answer, "HTTP/1.1 2", 10) != 0 || text == NULL)
        return 5;
    return puts(text + 4) < 0;
}
