// The loopback server: who may read what, and with which headers.
#include <unistd.h>

#include <map>

#include "tests/tools/web/web_fixture.h"
#include "tools/web/app_files.h"
#include "tools/web/http_client.h"
#include "tools/web_server.h"

namespace levin::tools {
namespace {

class WebServerTest : public WebTest {
 protected:
  void SetUp() override {
    put("index.html", "<p>hello</p>");
    put("app.js", "1;");
    put(".secret", "hidden");
    put("sub/page.html", "<p>sub</p>");
    Result<std::unique_ptr<WebServer>> server = WebServer::start(app());
    ASSERT_TRUE(server) << server.error().message();
    server_ = *std::move(server);
    base_ = *web::parse_loopback_url(server_->url());
  }

  web::HttpAnswer get(const std::string& target, const std::string& method = "GET") {
    web::HttpRequest request;
    request.method = method;
    request.port = base_.port;
    request.host = base_.host;
    request.target = target;
    const Result<web::HttpAnswer> answer = web::http_fetch(request);
    EXPECT_TRUE(answer) << answer.error().message();
    return answer ? *answer : web::HttpAnswer{};
  }

  static std::string header(const web::HttpAnswer& answer, const std::string& name) {
    for (const auto& [key, value] : answer.headers) {
      if (key == name) return value;
    }
    return "";
  }

  std::unique_ptr<WebServer> server_;
  web::LoopbackUrl base_;
};

TEST_F(WebServerTest, GivesFilesWithTypeAndPolicy) {
  const web::HttpAnswer page = get(base_.target);
  EXPECT_EQ(page.status, 200);
  EXPECT_EQ(page.body, "<p>hello</p>");
  EXPECT_EQ(header(page, "Content-Type"), "text/html; charset=utf-8");
  EXPECT_EQ(header(page, "Cache-Control"), "no-store");
  EXPECT_TRUE(header(page, "Content-Security-Policy").starts_with("default-src 'self'"));
  EXPECT_EQ(header(get(base_.target + "app.js"), "Content-Type"), "text/javascript; charset=utf-8");
  EXPECT_EQ(get(base_.target + "sub/page.html").body, "<p>sub</p>");
  EXPECT_EQ(get(base_.target + "app.js?version=2").status, 200);
}

TEST_F(WebServerTest, WantsTheToken) {
  EXPECT_EQ(get("/").status, 404);
  EXPECT_EQ(get("/index.html").status, 404);
  EXPECT_EQ(get("/00000000000000000000000000000000/index.html").status, 404);
  EXPECT_EQ(base_.target.size(), 34u) << base_.target;
}

TEST_F(WebServerTest, NothingOutsideTheFolderCanBeRead) {
  std::ofstream(std::filesystem::path(app()).parent_path() / "outside.txt") << "outside";
  ASSERT_EQ(::symlink("../outside.txt", (app() + "/link.txt").c_str()), 0);
  for (const char* path : {"../outside.txt", "%2e%2e/outside.txt", "sub/../../outside.txt",
                           "..%2foutside.txt", "link.txt", ".secret", "sub/../.secret", "/etc/passwd",
                           "%2fetc/passwd"}) {
    const web::HttpAnswer answer = get(base_.target + path);
    EXPECT_GE(answer.status, 400) << path;
    EXPECT_EQ(answer.body.find("outside\n"), std::string::npos) << path;
    EXPECT_EQ(answer.body.find("hidden"), std::string::npos) << path;
  }
}

TEST_F(WebServerTest, RefusesOtherMethodsAndAnswersHead) {
  EXPECT_EQ(get(base_.target, "POST").status, 405);
  EXPECT_EQ(get(base_.target, "DELETE").status, 405);
  const web::HttpAnswer head = get(base_.target, "HEAD");
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.body, "");
}

TEST_F(WebServerTest, TwoServersHaveDifferentTokens) {
  const Result<std::unique_ptr<WebServer>> other = WebServer::start(app());
  ASSERT_TRUE(other);
  EXPECT_NE(web::parse_loopback_url((*other)->url())->target, base_.target);
}

TEST_F(WebServerTest, PercentDecodingRefusesHalfACode) {
  bool ok = true;
  EXPECT_EQ(web::percent_decoded("a%20b", &ok), "a b");
  EXPECT_TRUE(ok);
  EXPECT_EQ(web::percent_decoded("a%2", &ok), "");
  EXPECT_FALSE(ok);
  EXPECT_EQ(get(base_.target + "app.js%00.html").status, 404);
}

TEST_F(WebServerTest, OnlyThisMachineIsAPlaceToLookAt) {
  EXPECT_TRUE(web::parse_loopback_url("http://localhost:8000/x"));
  EXPECT_EQ(web::parse_loopback_url("http://127.0.0.1")->port, 80);
  for (const char* url : {"https://127.0.0.1/", "http://example.org/", "http://127.0.0.1:0/",
                          "http://127.0.0.1:99999/", "http://127.0.0.1.example.org/", "file:///etc"}) {
    EXPECT_FALSE(web::parse_loopback_url(url)) << url;
  }
}

TEST_F(WebServerTest, FindsThePageOfAFolder) {
  EXPECT_EQ(*find_web_entry(app()), "index.html");
  std::filesystem::remove(app() + "/index.html");
  EXPECT_EQ(*find_web_entry(app()), "sub/page.html");
  put("other.html", "x");
  EXPECT_FALSE(find_web_entry(app()));
}

}  // namespace
}  // namespace levin::tools
